"""Processes that tests watch: which of them live, and waiting for what they do. Reads /proc."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def until(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether the condition holds before the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def alive(process: int) -> bool:
    return _status(process)[0] not in ("", "Z")


def processes_of(session: int) -> list[int]:
    """The living processes of a session, which its leader gave its own number."""
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [number for number in numbers if alive(number) and _status(number)[3:4] == [str(session)]]


def children(parent: int) -> list[int]:
    """The living processes that `parent` started."""
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [number for number in numbers if alive(number) and _status(number)[1] == str(parent)]


def gone(process: int, seconds: float = 30.0) -> bool:
    """Whether the process ends by itself in time; if not, it is killed, so that no test leaves one behind."""
    ended = until(lambda: not alive(process), seconds)
    if not ended:
        os.kill(process, signal.SIGKILL)
    return ended


def _status(process: int) -> list[str]:
    """State, parent, group, session, …, as in /proc/PID/stat after the program's name; one empty text without a process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return [""]
