"""What a fleet's training left, for its summary and for people."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kronosforge.core.errors import STOPPED, ModelError, TrainingError
from kronosforge.core.i18n import _
from kronosforge.core.names import HEADLINES
from kronosforge.engine.base import LIVE, Outcome
from kronosforge.workspace.paths import BEST, model_folder
from kronosforge.workspace.training_record import ProgressRecord, last_record, read_training

__all__ = [
    "LIVE",
    "Stages",
    "fleet_code",
    "kept_line",
    "model_code",
    "model_summary",
    "read_stages",
    "record_times",
    "summary_lines",
    "unchanged_stages",
]

EXPLAINED = (2, 3, 4, 5, STOPPED)  # exit codes that say what failed, see core.errors; others are of a process that died
STATUS = {0: "done", STOPPED: "stopped"}  # by exit code; any other has failed
MARKS = {"done": "✅", "stopped": "⏸", "failed": "❌"}
Stages = Collection[str]  # names of stages


def model_code(code: int) -> int:
    """The exit code that tells people why a model's process ended with `code`."""
    return code if code in (0, *EXPLAINED) else TrainingError.exit_code


def fleet_code(codes: Sequence[int]) -> int:
    """The exit code of a fleet whose models ended with `codes`: STOPPED where one was stopped, that of a single model, else 5."""
    if STOPPED in codes:
        return STOPPED
    if len(codes) == 1:
        return model_code(codes[0])
    return TrainingError.exit_code if any(codes) else 0


def model_summary(outcome: Outcome, root: Path, resume: str | None, unchanged: Stages) -> dict[str, Any]:
    """What summary.json says of one model. `resume` is the command line that continues it.

    Of a model that failed, the stages that are `unchanged` are left out: they are of an earlier run.
    """
    return {
        "status": STATUS.get(outcome.exit_code, "failed"),
        "exit_code": outcome.exit_code,
        "error": outcome.error,
        "seconds": round(outcome.seconds, 1),
        "log": outcome.log.relative_to(root).as_posix(),
        "resume": resume if outcome.exit_code else None,
        "stages": read_stages(model_folder(root, outcome.name), unchanged if outcome.exit_code else ()),
    }


def summary_lines(summary: Mapping[str, Any], unchanged: Mapping[str, Stages]) -> Iterator[str]:
    """The summary for people, one model after the other; a single line for one of which every stage is `unchanged`."""
    for model, facts in summary["models"].items():
        trained = {name: stage for name, stage in facts["stages"].items() if name not in unchanged[model]}
        if facts["status"] == "done" and facts["stages"] and not trained:
            yield f"{MARKS['done']} {kept_line(model)}"
            continue
        yield f"{MARKS[facts['status']]} {model}: {facts['status']} ({facts['seconds']:.0f} s, {facts['log']})"
        for name, stage in trained.items():
            yield "   " + _outcome(name, stage)
        if facts["error"]:
            yield "   " + _("why:") + f" {facts['error']}"
        if facts["resume"]:
            yield "   " + _("continue with:") + f" {facts['resume']}"


def kept_line(name: str) -> str:
    """That a model, or a stage of one, was trained already."""
    return _("{stage}: kept, as it was trained with the same settings and data; use --force to train again", stage=name)


def record_times(folder: Path) -> dict[str, int]:
    """Stage → when its record was written, ns, of the stages of the model in `folder` that have one."""
    times = {}
    for name in HEADLINES:
        with suppress(OSError):  # none, or one that cannot be read: the stage that uses it reports it
            times[name] = last_record(folder / name).stat().st_mtime_ns
    return times


def unchanged_stages(folder: Path, before: Mapping[str, int]) -> Stages:
    """The stages of the model in `folder` whose records are as old as `before`, which `record_times` returned, says."""
    return [name for name, time in record_times(folder).items() if time == before.get(name)]


def read_stages(folder: Path, without: Stages = ()) -> dict[str, Any]:
    """The result of each stage of the model in `folder` that has one, but for the stages `without`."""
    stages = {}
    for name in record_times(folder):
        path, headline = last_record(folder / name), HEADLINES[name]
        if name not in without:
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
