"""Jobs as processes on this machine, each with its share of the cores or with a GPU."""

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
from types import MappingProxyType
from typing import IO, NamedTuple

from kronosforge.core.boundary import ERROR
from kronosforge.core.errors import STOPPED
from kronosforge.core.files import write_errors
from kronosforge.core.i18n import _
from kronosforge.engine.base import LIVE, Job, OnLine, Outcome

VISIBLE = "CUDA_VISIBLE_DEVICES"


class Slot(NamedTuple):
    """A place for one job at a time."""

    environ: Mapping[str, str] = MappingProxyType({})  # variables that give the job its share of the machine
    gpu: int | None = None  # its GPU, as an index among the visible ones


def visible_gpus(count: int) -> list[str]:
    """The names of the `count` GPUs that this process sees: the user's CUDA_VISIBLE_DEVICES (ids or UUIDs), else 0, 1, …"""
    names = os.environ.get(VISIBLE)
    if names is None:
        return [str(index) for index in range(count)]
    return [name.strip() for name in names.split(",") if name.strip()][:count]


def slots(jobs: Sequence[Job], gpus: Sequence[str], at_once: int) -> list[Slot]:
    """Slots for `jobs`: one for each of `gpus` that a job asks for, and equal shares of the cores for the other jobs.

    `gpus` are the names of the visible GPUs, `at_once` is how many jobs run at once at most.
    """
    on_gpu = [job for job in jobs if job.gpu == "any" or job.gpu in range(len(gpus))] if gpus else []
    wanted = {job.gpu for job in on_gpu}
    indices = [index for index in range(len(gpus)) if "any" in wanted or index in wanted]
    on_cores = min(len(jobs) - len(on_gpu), at_once, cores())
    share = cores() // max(1, min(at_once, min(len(indices), len(on_gpu)) + on_cores))
    hidden = {VISIBLE: ""} if gpus else {}
    return [
        *(Slot({VISIBLE: gpus[index]}, index) for index in indices),
        *([Slot({"OMP_NUM_THREADS": str(max(1, share)), **hidden})] * on_cores),
    ]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalEngine:
    """Runs as many jobs at once as it has slots, `at_once` at most. A job ends with this process, however that ends.

    A job that asks for a GPU gets a slot with one, where there is any; every other job gets a slot without.
    """

    def __init__(self, slots: Sequence[Slot], folder: Path, at_once: int | None = None) -> None:
        self._free = list(slots)
        self._gpus = {slot.gpu for slot in slots} - {None}
        self._at_once = min(len(slots), at_once or len(slots))
        self._folder = folder  # the current folder of every job
        self._running: set[subprocess.Popen[str]] = set()
        self._cancelled = False
        # No job starts while all are being stopped. Reentrant: a second Ctrl-C interrupts the handler of the first.
        self._lock = threading.RLock()
        self._freed = threading.Condition(self._lock)

    def run(self, jobs: Sequence[Job], logs: Path, on_line: OnLine) -> list[Outcome]:
        """See `Engine.run`."""
        with write_errors(logs):
            logs.mkdir(parents=True, exist_ok=True)
        waiting, outcomes = list(jobs), dict[str, Outcome]()

        def work() -> None:
            while placed := self._next(waiting):
                job, slot = placed
                try:
                    outcomes[job.name] = self._run(job, slot, logs / f"{job.name}.log", on_line)
                except BaseException:
                    with self._lock:
                        waiting.clear()
                    raise
                finally:
                    self._release(slot)

        with self._cancelled_by_signals(), ThreadPoolExecutor(self._at_once) as threads:
            for future in [threads.submit(work) for _ in range(self._at_once)]:
                future.result()
        return [outcomes[job.name] for job in jobs]

    def cancel(self) -> None:
        """See `Engine.cancel`. A second call ends jobs that are still saving."""
        with self._lock:
            self._cancelled = True
            for process in self._running:
                process.terminate()

    def _next(self, waiting: list[Job]) -> tuple[Job, Slot] | None:
        """The first waiting job that has a free slot, and that slot; None once no job waits."""
        with self._freed:
            while waiting:
                for job in waiting:
                    if slot := next((slot for slot in self._free if self._fits(job, slot)), None):
                        waiting.remove(job)
                        self._free.remove(slot)
                        return job, slot
                self._freed.wait()
        return None

    def _fits(self, job: Job, slot: Slot) -> bool:
        if job.gpu == "any" and self._gpus:
            return slot.gpu is not None
        return slot.gpu == (job.gpu if job.gpu in self._gpus else None)

    def _release(self, slot: Slot) -> None:
        with self._freed:
            self._free.append(slot)
            self._freed.notify_all()

    def _run(self, job: Job, slot: Slot, log: Path, on_line: OnLine) -> Outcome:
        """Run one job from its start to its end. Its thread must live as long: Linux takes the thread for the parent."""
        begin = time.monotonic()
        # A job that names its GPU counts it among all that are visible.
        environ = {} if isinstance(job.gpu, int) else slot.environ
        with write_errors(log), log.open("a", encoding="utf-8") as file:
            process = self._start(environ)
            if process is None:
                return Outcome(job.name, STOPPED, _("not started"), 0.0, log)
            with process:
                _hand_over(job, process)
                error = _relay(job, process, file, on_line)
        with self._lock:
            self._running.discard(process)
        return self._outcome(job, process.returncode, error, time.monotonic() - begin, log)

    def _start(self, variables: Mapping[str, str]) -> subprocess.Popen[str] | None:
        """A process that waits for its job; None where the run was cancelled."""
        environ = {**os.environ, **variables, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
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


def _relay(job: Job, process: subprocess.Popen[str], file: IO[str], on_line: OnLine) -> str:
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
        on_line(job.name, line.rstrip("\n"))
    return error or last
