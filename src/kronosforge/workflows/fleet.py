"""What a fleet's training left, for its summary and for people."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kronosforge.core.errors import ModelError, TrainingError
from kronosforge.core.i18n import tr
from kronosforge.engine.base import LIVE
from kronosforge.workspace.paths import BEST
from kronosforge.workspace.training_record import ProgressRecord, last_record, read_training

__all__ = ["LIVE", "MARKS", "STATUS", "fleet_code", "model_code", "read_stages", "summary_lines"]

EXPLAINED = (2, 3, 4, 5, 130)  # exit codes that say what failed, see core.errors; others are of a process that died
STATUS = {0: "done", 130: "stopped"}  # by exit code; any other has failed
MARKS = {"done": "✅", "stopped": "⏸", "failed": "❌"}
HEADLINES = {"tokenizer": "reconstruction", "predictor": "loss"}  # the metric that chooses the best epoch


def model_code(code: int) -> int:
    """The exit code that tells people why a model's process ended with `code`."""
    return code if code in (0, *EXPLAINED) else TrainingError.exit_code


def fleet_code(codes: Iterable[int]) -> int:
    """The exit code of a fleet whose models ended with `codes`: 130 where one was stopped, 5 where their failures differ."""
    failures = {model_code(code) for code in codes if code}
    if 130 in failures:
        return 130
    return failures.pop() if len(failures) == 1 else TrainingError.exit_code * bool(failures)


def summary_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """The summary for people, one model after the other."""
    for model, facts in summary["models"].items():
        yield f"{MARKS[facts['status']]} {model}: {facts['status']} ({facts['seconds']:.0f} s, {facts['log']})"
        for name, stage in facts["stages"].items():
            yield "   " + _outcome(name, stage)
        if facts["error"]:
            yield "   " + tr("why:", "原因:") + f" {facts['error']}"
        if facts["resume"]:
            yield "   " + tr("go on with:", "继续命令:") + f" {facts['resume']}"


def read_stages(folder: Path) -> dict[str, Any]:
    """What each stage of the model in `folder` says of itself."""
    stages = {}
    for name, headline in HEADLINES.items():
        if (path := last_record(folder / name)).exists():
            with suppress(ModelError, LookupError):  # a broken record hides no other stage; who uses it reports it
                stages[name] = _stage(read_training(path).progress, headline, folder / name / BEST)
    return stages


def _stage(progress: ProgressRecord, headline: str, checkpoint: Path) -> dict[str, Any]:
    return {
        "finished": progress.finished,
        "steps": progress.step,
        "headline": headline,
        "scores": [epoch.val[headline] for epoch in progress.epochs],
        "best_epoch": progress.best_epoch,
        "checkpoint": checkpoint.as_posix(),
    }


def _outcome(name: str, stage: Mapping[str, Any]) -> str:
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
