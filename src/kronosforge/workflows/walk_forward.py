"""Walk forward: the model trained anew for each of several test windows that follow one another, and judged on each.

    outputs/models/<model>/folds/<k>/   dataset, tokenizer, predictor, evaluation.json, scores.npz
    outputs/models/<model>/folds/evaluation.json   the table over the folds

A fold is an ordinary model in a folder of its own: the stages do to it what they do to any.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from kronosforge.config import ModelConfig
from kronosforge.core.bars import iso
from kronosforge.core.digests import fingerprint, json_bytes
from kronosforge.core.errors import UsageError
from kronosforge.core.files import publishing, recover, write_atomic
from kronosforge.core.i18n import Message, _
from kronosforge.core.locks import locked, reading
from kronosforge.dataset import DatasetWriter
from kronosforge.dataset.history import History
from kronosforge.dataset.manifest import Manifest, finished_manifest, read_manifest, seal, summarise
from kronosforge.evaluate import MODELS
from kronosforge.evaluate.checkpoints import begun, maybe_seen, start
from kronosforge.evaluate.evaluation import SCHEMA as EVALUATION_SCHEMA
from kronosforge.evaluate.evaluation import conclude, evaluated, finished, notes, surroundings
from kronosforge.evaluate.gate import START, TUNED
from kronosforge.evaluate.judged import Judged
from kronosforge.evaluate.record import WalkRecord
from kronosforge.split import ALWAYS, Cuts, check_folds, check_windows, fold_cuts, total
from kronosforge.train.cost import cost
from kronosforge.train.loop import Watch as TrainingWatch
from kronosforge.train.stages import FREE, STAGES, WAIT_S, StageName, curve, train
from kronosforge.train.state import saved
from kronosforge.workspace.paths import (
    DATASET_FILES,
    EVALUATION,
    MANIFEST,
    SCORES,
    DatasetFolders,
    ModelFolders,
    model_folders,
    workspace_root,
)

FEWEST, MOST = 2, 50  # folds; how many a history allows depends on its length

NOTES = [
    Message(
        "Each fold trained tokenizer and predictor anew, from the same start, on all bars before "
        "its validation window. The whole pools the forecasts of all folds: blocks of time are "
        "drawn over all test windows, every series in them, and differences are paired forecast "
        "by forecast."
    ),
    Message(
        "The interval of the whole is that of time, for these trainings; how much one training "
        "differs from the next is seen in the rows. It judges the way of training, and promotes "
        "no checkpoint."
    ),
]


class Fold(NamedTuple):
    """One test window, and all that leads to it."""

    number: int  # from 1
    cuts: Cuts
    where: ModelFolders


class Watch(Protocol):
    """Hears how far a walk has come."""

    def begins(self, trainings: int, seconds: float) -> None:
        """So many folds are to be trained, each in at most so many seconds, measured here."""

    def trains(self, fold: int, stage: StageName) -> TrainingWatch | None:
        """What a stage of a fold shows after each step."""

    def judges(self, fold: int) -> Callable[[int, int], None]:
        """What a fold's evaluation tells of forecasts done and of all."""

    def ended(self, fold: int, found: dict[str, Any]) -> None:
        """A fold is done; its evaluation."""


def walk_forward(
    config: ModelConfig, folds: int, root: Path | None = None, *, force: bool = False, watch: Watch | None = None
) -> dict[str, Any]:
    """Cut the history of `config`'s dataset into `folds`, train and judge each, and pool them; the evaluation as JSON.

    The folds are those of `split.fold_cuts`; each is trained as the model here was, or, where it was not yet, as its
    config says. Without `root`, the workspace around the current folder. Written to outputs/models/<model>/folds/,
    finished or absent; the model's own dataset, checkpoints and CURRENT are not touched.
    What is finished is kept and a stopped training goes on, unless `force` does everything again. Equal inputs give equal
    bytes. Raises UsageError for a number of folds that is not allowed, or where folds of other data or settings stand;
    DataError without a dataset, or where a fold has too few windows; ModelError without weights to start from;
    TrainingError where a loss explodes.
    """
    if not FEWEST <= folds <= MOST:
        raise UsageError(
            _(
                "folds: found {folds}; allowed: {fewest} to {most}, as many as the history has room for",
                folds=folds,
                fewest=FEWEST,
                most=MOST,
            )
        )
    root = root or workspace_root()
    own = model_folders(config, root)
    config = _as_trained(config, own.models)
    place = own.folds
    inputs = {
        "schema": EVALUATION_SCHEMA,
        "dataset": finished_manifest(own.dataset, config).fingerprint,
        "folds": folds,
        "split": config.split.model_dump(include={"train", "val"}),
        "train": curve(config.train),
        "models": {START: start(config.train).facts},
        "settings": config.evaluate.model_dump(mode="json"),
        **surroundings(config),
    }
    mark = fingerprint(inputs)
    if not force and (found := finished(place / EVALUATION, mark, WalkRecord)):
        return found
    with locked(place, _("the folds {place}", place=place), wait=WAIT_S):
        if force:
            shutil.rmtree(place, ignore_errors=True)
        with reading(own.dataset, _("the dataset {name}", name=own.dataset.name)):
            walk = _cut(config, own, folds, root)
        if watch and (todo := [fold for fold in walk if not _trained(fold)]):
            stages = cost(config, todo[-1].where, STAGES)  # of the fold with the most windows
            watch.begins(len(todo), sum(stage["seconds"] for stage in stages.values()))
        rows = [_one(config, fold, watch) for fold in walk]
        head = {"schema": EVALUATION_SCHEMA, "name": config.name, "model_name": config.model_name, "fingerprint": mark}
        found = {**head, **_pooled(config, walk, rows), "provenance": inputs}
        write_atomic(place / EVALUATION, json_bytes(found))
    return found


def _as_trained(config: ModelConfig, models: Path) -> ModelConfig:
    """`config` with the settings that the model in the folder `models` was trained with, if it was."""
    found = begun(models)
    if found is None:
        return config
    free = {key: getattr(config.train, key) for key in FREE}
    return config.model_copy(update={"train": found.rules.model_copy(update=free)})


def _cut(config: ModelConfig, own: ModelFolders, folds: int, root: Path) -> list[Fold]:
    """Every fold with its dataset, in order of time."""
    history, window = History(own.dataset), config.dataset.window
    timeline = history.timeline

    def windows(count: int) -> list[dict[str, int]]:
        return [history.windows(at, window) for at in fold_cuts(timeline, config.split, count)]

    check_folds(windows, folds, history.series, config.split, window)
    of = read_manifest(own.dataset, config.name)
    walk = []
    for number, at in enumerate(fold_cuts(timeline, config.split, folds), 1):
        walk.append(Fold(number, at, own.fold(number)))
        _dataset(config, history, walk[-1], {"number": number, "of": folds, "history": of.fingerprint}, of, root)
    return walk


def _dataset(
    config: ModelConfig, history: History, fold: Fold, facts: dict[str, Any], of: Manifest, root: Path
) -> None:
    """Make the dataset of `fold`, unless it stands there. `of` is the manifest of the dataset that it is cut from."""
    folder, window = fold.where.dataset, config.dataset.window
    recover(folder, MANIFEST, DATASET_FILES)
    if (folder / MANIFEST).exists():
        _refuse_other(folder, {"fold": facts, "cuts": _times(fold.cuts)}, config.name)
        return
    with publishing(folder, MANIFEST, DATASET_FILES) as staging:
        with DatasetWriter(staging, fold.cuts, window) as writer:
            written = {series: writer.add(series, history.candles(series)) for series in history.series}
            writer.finish()
        windows = {series: one.windows for series, one in written.items()}
        summary = summarise(
            config,
            folder=DatasetFolders(root, folder, None).shown,
            source=of.source,
            cuts=_times(fold.cuts),
            series={key: {"windows": one.windows, "bars_in_no_window": one.bars_in_no_window}
                    for key, one in zip(map(str, written), written.values(), strict=True)},
            windows=total(windows.values()),
            warnings=[text.both() for text in check_windows(windows, config.split, window)],
        )  # fmt: skip
        (staging / MANIFEST).write_bytes(json_bytes({**seal(summary, staging, writer.digests), "fold": facts}))


def _refuse_other(folder: Path, expected: dict[str, Any], model: str) -> None:
    """Raise UsageError where the fold's dataset that stands in `folder` is cut from other bars, or elsewhere."""
    recorded = read_manifest(folder, model).content
    if {key: recorded.get(key) for key in expected} == expected:
        return
    had, asked = (f"{f.get('of')} × {str(f.get('history'))[:12]}" for f in (recorded.get("fold", {}), expected["fold"]))
    raise UsageError(
        _(
            "{parent} holds folds of another history or number ({had}; asked: {asked}); --force "
            "trains all of them anew",
            parent=folder.parent.parent,
            had=had,
            asked=asked,
        )
    )


def _times(cuts: Cuts) -> dict[str, str]:
    """As JSON; the last fold's test window ends with the history."""
    return {name: iso(at) for name, at in cuts._asdict().items() if at != ALWAYS.stop}


def _trained(fold: Fold) -> bool:
    found = saved(fold.where.stage("predictor"))
    return found is not None and found[0].finished


def _one(config: ModelConfig, fold: Fold, watch: Watch | None) -> dict[str, Any]:
    """Train and judge `fold`, as far as it is not done; its row of the table."""

    def trains(stage: StageName) -> TrainingWatch | None:
        return watch.trains(fold.number, stage) if watch else None

    where = fold.where
    train(config, where=where, resume=True, watch=trains)
    progress = watch.judges(fold.number) if watch else lambda done, total: None
    found = evaluated(config, where.models, where.dataset, progress=progress, scores=where.models / SCORES)
    if watch:
        watch.ended(fold.number, found)
    tables = {name: {"kind": one["kind"], "pooled": one["pooled"]} for name, one in found["models"].items()}
    told = {key: found[key] for key in ("fingerprint", "verdict", "origins", "differences", "possibly_seen")}
    windows = read_manifest(where.dataset, config.name).windows
    return {"fold": fold.number, "cuts": _times(fold.cuts), "windows": windows, **told, "models": tables}


def _pooled(config: ModelConfig, walk: Sequence[Fold], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All forecasts of all folds as those of one test, and the folds' own rows."""
    whole = Judged.join([_kept(fold, row["fingerprint"]) for fold, row in zip(walk, rows, strict=True)])
    told = conclude(
        whole,
        MODELS,
        config.dataset,
        config.evaluate,
        seen=maybe_seen(config.train),
        scratch=config.train.init == "scratch",
        folds=len(walk),
    )
    return {
        **told,
        "folds": list(rows),
        "lower_in": {other: sum(_lower(row, other) for row in rows) for other in told["differences"][TUNED]},
        "notes": [*(note.both() for note in NOTES), *notes(told["origins"]["possibly_seen"])],
    }


def _kept(fold: Fold, mark: str) -> Judged:
    found = Judged.load(fold.where.models / SCORES, mark)
    assert found is not None  # `evaluated` saw to it
    return found


def _lower(row: dict[str, Any], other: str) -> bool:
    """Whether the fold's fine-tuned model has a lower mean CRPS than `other`."""
    difference = row["differences"][TUNED][other]["crps"]["value"]
    return difference is not None and difference < 0
