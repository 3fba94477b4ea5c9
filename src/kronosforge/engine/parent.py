"""How a process ends with its parent, however that ends.

Linux kills it (`die_with_parent`), even inside a call that holds Python's lock; elsewhere it ends itself once its stdin is
closed (`watch_parent`).
"""

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1  # Source: Linux, include/uapi/linux/prctl.h


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process as soon as the thread of `parent` that started it is gone; a no-op elsewhere."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before the kernel was asked
        os._exit(1)


def watch_parent() -> None:
    """End this process once its stdin is closed: the parent holds the other end and writes nothing more.

    A thread waits for that; whatever else reads stdin finds it empty.
    """
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def wait() -> None:
        while os.read(pipe, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()
