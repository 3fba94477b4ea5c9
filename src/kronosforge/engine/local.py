"""Jobs as processes on this machine, each with its share of the cores or a GPU of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from kronosforge.core.files import disk_errors
from kronosforge.core.i18n import _
from kronosforge.engine.base import LIVE, Job, Outcome, Watch

STOPPED = 130  # the exit code of a job that was stopped on request
ERROR = "Error: "  # how a process begins the line that says why it fails

Slot = Mapping[str, str]
"""Environment variables that give a job its share of the machine."""


def slots(count: int, gpus: int) -> list[Slot]:
    """Places for `count` jobs at once: a GPU each, where there are `gpus`, or equal shares of the cores."""
    if gpus:
        return [{"CUDA_VISIBLE_DEVICES": str(number % gpus)} for number in range(count)]
    return [{"OMP_NUM_THREADS": str(max(1, cores() // count))} for _ in range(count)]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalEngine:
    """Runs as many jobs at once as it has slots. A job ends with this process, however that ends."""

    def __init__(self, places: Sequence[Slot], folder: Path) -> None:
        self._free = list(places)
        self._at_once = len(places)
        self._folder = folder  # the current folder of every job
        self._running: set[subprocess.Popen[str]] = set()
        self._cancelled = False
        # No job starts while all are being stopped. Reentrant: a second Ctrl-C interrupts the handler of the first.
        self._lock = threading.RLock()

    def run(self, jobs: Sequence[Job], logs: Path, watch: Watch) -> list[Outcome]:
        """See `Engine.run`."""
        with disk_errors(logs):
            logs.mkdir(parents=True, exist_ok=True)
        with self._cancelled_by_signals(), ThreadPoolExecutor(self._at_once) as threads:
            return list(threads.map(lambda job: self._run(job, logs / f"{job.name}.log", watch), jobs))

    def cancel(self) -> None:
        """See `Engine.cancel`. A second call ends jobs that are still saving."""
        with self._lock:
            self._cancelled = True
            for process in self._running:
                process.terminate()

    def _run(self, job: Job, log: Path, watch: Watch) -> Outcome:
        """Run one job from its start to its end. Its thread must live as long: Linux takes the thread for the parent."""
        begin, slot = time.monotonic(), self._free.pop()
        try:
            with disk_errors(log), log.open("a", encoding="utf-8") as file:
                process = self._start(slot)
                if process is None:
                    return Outcome(job.name, STOPPED, _("not started"), 0.0, log)
                with process:
                    _hand_over(job, process)
                    error = _relay(job, process, file, watch)
            with self._lock:
                self._running.discard(process)
        finally:
            self._free.append(slot)
        return self._outcome(job, process.returncode, error, time.monotonic() - begin, log)

    def _start(self, slot: Slot) -> subprocess.Popen[str] | None:
        """A process that waits for its job; None where the run was cancelled."""
        environ = {**os.environ, **slot, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        # -P: files of the workspace are not modules, whatever their names
        command = [sys.executable, "-P", "-m", "kronosforge.engine.child", str(os.getpid())]
        with self._lock:
            if self._cancelled:
                return None
            process = subprocess.Popen(  # noqa: S603 - this very program
                command, cwd=self._folder, env=environ, text=True, encoding="utf-8", errors="replace",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C reaches it through us, once
            )  # fmt: skip
            self._running.add(process)
        return process

    def _outcome(self, job: Job, code: int, error: str, seconds: float, log: Path) -> Outcome:
        if code == -signal.SIGTERM and self._cancelled:  # before it could listen
            return Outcome(job.name, STOPPED, _("not started"), seconds, log)
        if code < 0:
            name = signal.Signals(-code).name
            return Outcome(job.name, 128 - code, _("killed by {name}", name=name), seconds, log)
        return Outcome(job.name, code, error if code else "", seconds, log)

    @contextmanager
    def _cancelled_by_signals(self) -> Iterator[None]:
        """Ctrl-C, a request to end and a closed terminal cancel the run, where this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [signal.SIGINT, signal.SIGTERM]
        if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, lambda *_: self.cancel()) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _hand_over(job: Job, process: subprocess.Popen[str]) -> None:
    """Send the job as one line, and leave the pipe open: the process takes its end for ours."""
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps({"function": job.function, "data": job.data}) + "\n")
        process.stdin.flush()
    except BrokenPipeError:  # it ended before it read its job; its output and exit code say why
        with suppress(BrokenPipeError):
            process.stdin.close()


def _relay(job: Job, process: subprocess.Popen[str], file: IO[str], watch: Watch) -> str:
    """Keep each line in the log, unless it only shows progress, and pass it on. Returns the error, else the last line."""
    error = last = ""
    assert process.stdout is not None
    for line in process.stdout:
        if not line.startswith(LIVE):
            file.write(line)
            file.flush()
            last = line.strip() or last
        if line.startswith(ERROR):
            error = line.removeprefix(ERROR).strip()
        watch(job.name, line.rstrip("\n"))
    return error or last
