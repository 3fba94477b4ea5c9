"""The interface of every engine: jobs in, their lines while they run, their outcomes at the end."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

LIVE = "~ "  # how a job marks a line that shows progress and is not kept in its log


class Job(NamedTuple):
    """One call that runs in a process of its own."""

    name: str
    function: str  # import path, `package.module:function`; it returns an exit code, and what it prints is its log
    data: Mapping[str, Any]  # its keyword arguments, as JSON


class Outcome(NamedTuple):
    """How a job ended."""

    name: str
    exit_code: int  # 130: stopped on request
    error: str  # the last error that it printed, empty where it succeeded
    seconds: float
    log: Path


Watch = Callable[[str, str], None]
"""Told the name of a job and a line that it printed, as it is printed."""


class Engine(Protocol):
    """Runs jobs."""

    def run(self, jobs: Sequence[Job], logs: Path, watch: Watch) -> list[Outcome]:
        """Run every job and return their outcomes in order; each writes `logs`/<name>.log. One that fails stops no other.

        Ctrl-C, or a request to end, reaches each running job once: it saves and ends; no further job is started.
        """
