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
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kronosforge.core.files import disk_errors
from kronosforge.core.i18n import tr
from kronosforge.engine.base import LIVE, Job, Outcome, Watch

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
    """Runs as many jobs at once as it has slots. A job dies with this process, however it ends."""

    def __init__(self, places: Sequence[Slot], folder: Path) -> None:
        self._free = list(places)
        self._threads = len(places)
        self._folder = folder  # the current folder of every job
        self._running: set[subprocess.Popen[str]] = set()
        self._ending = threading.Event()

    def run(self, jobs: Sequence[Job], logs: Path, watch: Watch) -> list[Outcome]:
        """See `Engine.run`."""
        with disk_errors(logs):
            logs.mkdir(parents=True, exist_ok=True)

        def run_one(job: Job) -> Outcome:
            log = logs / f"{job.name}.log"
            if self._ending.is_set():
                return Outcome(job.name, 130, tr("not started", "未开始"), 0.0, log)
            slot = self._free.pop()
            try:
                return self._run(job, slot, log, watch)
            finally:
                self._free.append(slot)

        with self._forwarding_signals(), ThreadPoolExecutor(self._threads) as threads:
            return list(threads.map(run_one, jobs))

    def _run(self, job: Job, slot: Slot, log: Path, watch: Watch) -> Outcome:
        begin = time.monotonic()
        environ = {**os.environ, **slot, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-m", "kronosforge.engine.child", str(os.getpid())]
        with (
            log.open("a", encoding="utf-8") as file,
            subprocess.Popen(  # noqa: S603 - this very program
                command, cwd=self._folder, env=environ, text=True, encoding="utf-8", errors="replace",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C reaches it through us, once
            ) as child,
        ):  # fmt: skip
            self._running.add(child)
            _hand_over(job, child)
            error = _relay(job, child, file, watch)
            code = child.wait()
            self._running.discard(child)
        if code < 0:
            error = tr(f"killed by {signal.Signals(-code).name}", f"被 {signal.Signals(-code).name} 终止")
        return Outcome(job.name, code if code >= 0 else 128 - code, error, time.monotonic() - begin, log)

    @contextmanager
    def _forwarding_signals(self) -> Iterator[None]:
        """Pass Ctrl-C and requests to end on to the jobs, and start no more of them."""

        def forward(number: int, _: object) -> None:
            self._ending.set()
            for child in list(self._running):
                child.send_signal(number)

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _hand_over(job: Job, child: subprocess.Popen[str]) -> None:
    """Send the job as one line. The pipe stays open: that it closes is how the child learns that this process is gone."""
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps({"function": job.function, "data": job.data}) + "\n")
        child.stdin.flush()
    except BrokenPipeError:
        pass  # it died at once; its exit code tells


def _relay(job: Job, child: subprocess.Popen[str], file: IO[str], watch: Watch) -> str:
    """Pass each line on, keep it in the log unless it only shows progress; returns the last error."""
    error = ""
    assert child.stdout is not None
    for line in child.stdout:
        watch(job.name, line.rstrip("\n"))
        if line.startswith(LIVE):
            continue
        file.write(line)
        file.flush()
        if line.startswith("Error: "):
            error = line.removeprefix("Error: ").strip()
    return error
