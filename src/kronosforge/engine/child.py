"""The process that runs one job: `python -m kronosforge.engine.child PARENT`, the job as one line of JSON on stdin."""

import ctypes
import importlib
import json
import os
import signal
import sys
import threading

from kronosforge.core.boundary import configure_logging, guarded

PR_SET_PDEATHSIG = 1  # Source: Linux, include/uapi/linux/prctl.h


def main() -> int:
    """Run the job and return its exit code; die with the parent, however that ends."""
    die_with_parent(int(sys.argv[1]))
    job = json.loads(sys.stdin.readline())
    watch_pipe()
    configure_logging()
    module, _, name = job["function"].partition(":")
    return guarded(lambda: int(getattr(importlib.import_module(module), name)(**job["data"])))


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process as soon as `parent` is gone; elsewhere nothing happens."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before the kernel was asked
        os._exit(1)


def watch_pipe() -> None:
    """End this process when its stdin is closed: the parent holds the other end and never writes again.

    A thread waits for it, so that this works on every system, and inside this process's own children as well.
    """
    descriptor = os.dup(sys.stdin.fileno())

    def wait() -> None:
        while os.read(descriptor, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
