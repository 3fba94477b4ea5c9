"""Many models: each trains in a process of its own, and one that fails does not stop the others."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kronosforge.core.files import disk_errors, write_atomic
from kronosforge.core.i18n import tr
from kronosforge.workspace.paths import BEST, LAST, TRAINING, model_folder, training_logs

LIVE = "~ "  # how a child marks a line that shows progress and is no news
Mode = Literal["sequential", "parallel"]
Show = Callable[[str, str], None]  # model, line


class Job(NamedTuple):
    """One model to be trained."""

    model: str
    arguments: list[str]  # of `python -m kronosforge`


class Slot(NamedTuple):
    """Where one child runs: environment variables that give it its share of the machine."""

    variables: dict[str, str]


class Outcome(NamedTuple):
    """How a child ended."""

    model: str
    exit_code: int
    error: str  # what it said last, empty where it succeeded
    seconds: float
    log: Path


def slots(mode: Mode, gpus: int, models: int, max_workers: int | None) -> list[Slot]:
    """The places that children run in at once: a GPU each, or equal shares of the cores."""
    if mode == "sequential":
        return [Slot({})]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = max(1, min(models, max_workers or models, gpus or cores))
    if gpus:
        return [Slot({"CUDA_VISIBLE_DEVICES": str(n % gpus)}) for n in range(count)]
    return [Slot({"OMP_NUM_THREADS": str(max(1, cores // count))}) for _ in range(count)]


def run(jobs: Sequence[Job], places: Sequence[Slot], root: Path, folder: Path, show: Show) -> list[Outcome]:
    """Run every job, as many at once as there are places; each writes `folder`/<model>.log.

    Ctrl-C, or a request to end, reaches each child once: it saves and ends, and its outcome has the exit code 130.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    free = list(places)
    running: set[subprocess.Popen[str]] = set()
    ending = threading.Event()

    def one(job: Job) -> Outcome:
        log = folder / f"{job.model}.log"
        if ending.is_set():
            return Outcome(job.model, 130, tr("not started", "未开始"), 0.0, log)
        place = free.pop()
        try:
            return _child(job, place, root, log, show, running)
        finally:
            free.append(place)

    with _forwarded(running, ending), ThreadPoolExecutor(len(places)) as threads:
        return list(threads.map(one, jobs))


def _child(job: Job, place: Slot, root: Path, log: Path, show: Show, running: set[subprocess.Popen[str]]) -> Outcome:
    start, error = time.monotonic(), ""
    environ = {**os.environ, **place.variables, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    with log.open("a", encoding="utf-8") as file:
        child = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "kronosforge", *job.arguments],
            cwd=root, env=environ, text=True, encoding="utf-8", errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C reaches it through us, once
        )  # fmt: skip
        running.add(child)
        assert child.stdout is not None
        for line in child.stdout:
            show(job.model, line.rstrip("\n"))
            if line.startswith(LIVE):
                continue
            file.write(line)
            file.flush()
            if line.startswith("Error: "):
                error = line.removeprefix("Error: ").strip()
        child.stdout.close()
        code = child.wait()
        running.discard(child)
    if code < 0:
        error = tr(f"killed by {signal.Signals(-code).name}", f"被 {signal.Signals(-code).name} 终止")
    return Outcome(job.model, code if code >= 0 else 128 - code, error, time.monotonic() - start, log)


@contextmanager
def _forwarded(running: set[subprocess.Popen[str]], ending: threading.Event) -> Iterator[None]:
    """Pass Ctrl-C and requests to end on to the children, and start no more of them."""

    def forward(number: int, _: object) -> None:
        ending.set()
        for child in list(running):
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


def new_folder(root: Path) -> Path:
    """A folder for this run's logs, named after the instant (UTC)."""
    return training_logs(root, datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ"))


def collect(outcomes: Sequence[Outcome], root: Path, folder: Path, resume: Mapping[str, str]) -> dict[str, Any]:
    """Write summary.json and training_report_*.txt into `folder`, and return the summary.

    `resume` maps each model to the command that goes on with it.
    """
    models = {}
    for outcome in outcomes:
        models[outcome.model] = {
            "status": "done" if not outcome.exit_code else "stopped" if outcome.exit_code == 130 else "failed",
            "exit_code": outcome.exit_code,
            "error": outcome.error,
            "seconds": round(outcome.seconds, 1),
            "log": outcome.log.relative_to(root).as_posix(),
            "resume": resume[outcome.model] if outcome.exit_code else None,
            "stages": _stages(model_folder(root, outcome.model)),
        }
    summary = {"run": folder.name, "models": models}
    write_atomic(folder / "summary.json", (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode())
    report = folder / f"training_report_{folder.name}.txt"
    write_atomic(report, ("\n".join(lines(summary)) + "\n").encode())
    return summary


def lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """The summary for people, one model after the other."""
    for model, facts in summary["models"].items():
        mark = {"done": "✅", "stopped": "⏸", "failed": "❌"}[facts["status"]]
        yield f"{mark} {model}: {facts['status']} ({facts['seconds']:.0f} s, {facts['log']})"
        for name, stage in facts["stages"].items():
            yield "   " + _verdict(name, stage)
        if facts["error"]:
            yield "   " + tr("why:", "原因:") + f" {facts['error']}"
        if facts["resume"]:
            yield "   " + tr("go on with:", "继续命令:") + f" {facts['resume']}"


def _stages(folder: Path) -> dict[str, Any]:
    """What each stage of a model says of itself."""
    found = {}
    for name in ("tokenizer", "predictor"):
        path = folder / name / LAST / TRAINING
        if path.exists():
            progress = json.loads(path.read_text("utf-8"))["progress"]
            headline = "reconstruction" if name == "tokenizer" else "loss"
            scores = [epoch["val"][headline] for epoch in progress["epochs"]]
            found[name] = {
                "finished": progress["finished"],
                "steps": progress["step"],
                "headline": headline,
                "scores": scores,
                "best_epoch": progress["best_epoch"],
                "checkpoint": (folder / name / BEST).as_posix(),
            }
    return found


def _verdict(name: str, stage: Mapping[str, Any]) -> str:
    before, best = stage["scores"][0], stage["scores"][stage["best_epoch"]]
    if stage["best_epoch"] == 0:
        return tr(
            f"{name}: no epoch was better than the start ({stage['headline']} {before:.4f}); the start is kept",
            f"{name}:没有哪一轮比起点更好({stage['headline']} {before:.4f});保留起点的权重",
        )
    return tr(
        f"{name}: {stage['headline']} {before:.4f} → {best:.4f} after epoch {stage['best_epoch']} "
        f"of {len(stage['scores']) - 1}",
        f"{name}:{stage['headline']} {before:.4f} → {best:.4f},第 {stage['best_epoch']} 轮(共 {len(stage['scores']) - 1} 轮)",
    )
