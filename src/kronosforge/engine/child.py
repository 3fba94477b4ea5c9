"""The process that runs one job: `python -m kronosforge.engine.child PARENT`, the job as one line of JSON on stdin."""

import importlib
import json
import signal
import sys

from kronosforge.core.boundary import configure_logging, guarded
from kronosforge.engine.parent import die_with_parent, watch_parent


def main() -> int:
    """Run the job and return its exit code. This process ends with its parent."""
    die_with_parent(int(sys.argv[1]))
    for number in (signal.SIGINT, signal.SIGTERM):  # even where a shell has started the parent with them ignored
        signal.signal(number, signal.default_int_handler)
    configure_logging()
    return guarded(_run_job)


def _run_job() -> int:
    job = json.loads(sys.stdin.readline())
    watch_parent()
    module, _, name = job["function"].partition(":")
    return int(getattr(importlib.import_module(module), name)(**job["data"]))


if __name__ == "__main__":
    sys.exit(main())
