"""What a fleet's training left, for its summary and for people."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kronosforge.core.errors import STOPPED, ModelError, TrainingError
from kronosforge.core.i18n import _
from kronosforge.core.names import HEADLINES
from kronosforge.engine.base import LIVE
from kronosforge.workspace.paths import BEST
from kronosforge.workspace.training_record import ProgressRecord, last_record, read_training

__all__ = ["LIVE", "MARKS", "STATUS", "fleet_code", "model_code", "read_stages", "record_times", "summary_lines"]

EXPLAINED = (2, 3, 4, 5, STOPPED)  # exit codes that say what failed, see core.errors; others are of a process that died
STATUS = {0: "done", STOPPED: "stopped"}  # by exit code; any other has failed
MARKS = {"done": "✅", "stopped": "⏸", "failed": "❌"}
NOTHING: Mapping[str, int] = MappingProxyType({})


def model_code(code: int) -> int:
    """The exit code that tells people why a model's process ended with `code`."""
    return code if code in (0, *EXPLAINED) else TrainingError.exit_code


def fleet_code(codes: Sequence[int]) -> int:
    """The exit code of a fleet whose models ended with `codes`: 130 where one was stopped, that of a single model, else 5."""
    if STOPPED in codes:
        return STOPPED
    if len(codes) == 1:
        return model_code(codes[0])
    return TrainingError.exit_code if any(codes) else 0


def summary_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """The summary for people, one model after the other."""
    for model, facts in summary["models"].items():
        yield f"{MARKS[facts['status']]} {model}: {facts['status']} ({facts['seconds']:.0f} s, {facts['log']})"
        for name, stage in facts["stages"].items():
            yield "   " + _outcome(name, stage)
        if facts["error"]:
            yield "   " + _("why:") + f" {facts['error']}"
        if facts["resume"]:
            yield "   " + _("go on with:") + f" {facts['resume']}"


def record_times(folder: Path) -> dict[str, int]:
    """Stage → when its record was written, ns, of the stages of the model in `folder` that have one."""
    records = {name: last_record(folder / name) for name in HEADLINES}
    return {name: path.stat().st_mtime_ns for name, path in records.items() if path.exists()}


def read_stages(folder: Path, before: Mapping[str, int] = NOTHING) -> dict[str, Any]:
    """The result of each stage of the model in `folder`; not of those whose record is as old as `before` says."""
    stages = {}
    for name, time in record_times(folder).items():
        path, headline = last_record(folder / name), HEADLINES[name]
        if time != before.get(name):
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
        return _(
            "{name}: no epoch was better than the start ({headline} {before:.4f}); the start is kept",
            name=name,
            headline=stage["headline"],
            before=before,
        )
    return _(
        "{name}: {headline} {before:.4f} → {best:.4f} after epoch {best_epoch} of {count}",
        name=name,
        headline=stage["headline"],
        before=before,
        best=best,
        best_epoch=stage["best_epoch"],
        count=len(stage["scores"]) - 1,
    )
