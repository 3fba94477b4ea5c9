"""The interface of every engine: jobs go in, their lines come out while they run, their outcomes at the end."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

LIVE = "~ "  # begins a line that only shows progress: it is passed on, and left out of the log


class Job(NamedTuple):
    """One call that runs in a process of its own."""

    name: str
    function: str  # import path, `package.module:function`; it returns an exit code, and what it prints is its log
    data: Mapping[str, Any]  # its keyword arguments, as JSON
    gpu: int | Literal["any"] | None = (
        None  # the GPU that it uses: an index among the visible ones, any of them, or none
    )


class Outcome(NamedTuple):
    """How a job ended."""

    name: str
    exit_code: int  # core.errors.STOPPED: stopped on request
    error: str  # why it failed, in one line; empty where it succeeded
    seconds: float
    log: Path


OnLine = Callable[[str, str], None]
"""Called with the name of a job and a line that it printed, as it is printed."""


class Engine(Protocol):
    """Runs jobs."""

    def run(self, jobs: Sequence[Job], logs: Path, on_line: OnLine) -> list[Outcome]:
        """Run every job and return their outcomes in order; each writes `logs`/<name>.log. One that fails stops no other.

        Ctrl-C, a request to end and a closed terminal cancel the run.
        """

    def cancel(self) -> None:
        """Ask each running job to save and end, and start no more. Any thread, or a signal handler, may call it."""
