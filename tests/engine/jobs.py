"""What the tests run as jobs, and a program that runs one of them: `python -m tests.engine.jobs FOLDER NAME`."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from kronosforge.core.errors import DataError
from kronosforge.engine.base import Job
from kronosforge.engine.local import LocalEngine, Slot
from kronosforge.engine.parent import PR_SET_PDEATHSIG

ROOT = Path(__file__).resolve().parents[2]
PLACE = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "KRONOS_LANG": "en"}


def job(name: str, function: str, **data: object) -> Job:
    return Job(name, f"tests.engine.jobs:{function}", data)


def prints(lines: list[str], code: int = 0) -> int:
    print(*lines, sep="\n", flush=True)
    return code


def raises(message: str, *, reported: bool) -> int:
    raise DataError(message) if reported else ValueError(message)


def is_killed() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def reads_stdin() -> int:
    print(repr(sys.stdin.read()))
    return 0


def shows_where_it_runs() -> int:
    print(Path.cwd(), os.environ.get("OMP_NUM_THREADS"), flush=True)
    time.sleep(0.5)  # so that another job runs meanwhile
    return 0


def shows_its_gpus() -> int:
    print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    return 0


def shows_its_time() -> int:
    print(time.monotonic(), flush=True)
    time.sleep(0.3)
    print(time.monotonic(), flush=True)
    return 0


def waits(path: str) -> int:
    """Say its process and wait for a minute; on request save, which takes a moment, and end."""
    Path(path).write_text(str(os.getpid()))
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.2)
        print("saved", flush=True)
        raise
    return 0


def waits_unwatched_by_the_kernel(path: str) -> int:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0)
    return waits(path)


def waits_with_the_lock_of_python(path: str) -> int:
    Path(path).write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(60)
    return 0


if __name__ == "__main__":
    folder, function = Path(sys.argv[1]), sys.argv[2]
    LocalEngine([Slot(PLACE)], folder).run([job("a", function, path=str(folder / "pid"))], folder / "logs", print)
