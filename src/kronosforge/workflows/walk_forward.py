"""Walk forward: the model is retrained for each of several test windows that follow one another, and judged on each.

    outputs/models/<model>/folds/<k>/   dataset, tokenizer, predictor, evaluation.json, scores.npz
    outputs/models/<model>/folds/evaluation.json   the table over the folds

A fold is an ordinary model in a folder of its own: the stages do to it what they do to any.
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from kronosforge.config import ModelConfig
from kronosforge.core.bars import iso
from kronosforge.core.digests import fingerprint, json_bytes
from kronosforge.core.errors import UsageError
from kronosforge.core.evaluation_record import LAYOUT, E, EvaluationRecord, WalkRecord, evaluate_command
from kronosforge.core.files import publishing, recover, write_atomic
from kronosforge.core.i18n import Message, _
from kronosforge.core.locks import locked, reading
from kronosforge.core.names import START, TUNED
from kronosforge.dataset import DatasetWriter
from kronosforge.dataset.history import History
from kronosforge.dataset.manifest import Manifest, finished_manifest, read_manifest, seal, summarise
from kronosforge.evaluate import MODELS
from kronosforge.evaluate.evaluation import Kept, conclude, evaluated, notes, surroundings
from kronosforge.evaluate.judged import Judged
from kronosforge.forecast.weights import begun, maybe_seen, start
from kronosforge.split import ALWAYS, Cuts, check_folds, check_windows, fold_cuts, total
from kronosforge.train.cost import cost
from kronosforge.train.loop import StageReporter
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
        "Each fold trains tokenizer and predictor again, from the same start, on all bars before its validation "
        "window. The total pools the forecasts of all folds: blocks of time are drawn over all test windows with "
        "every series in them, and differences are paired forecast by forecast."
    ),
    Message(
        "The total's interval covers time, given these trainings; the rows show how much trainings differ. It "
        "evaluates the way of training and promotes no checkpoint."
    ),
]


class Fold(NamedTuple):
    """One test window, and all that leads to it."""

    number: int  # from 1
    cuts: Cuts
    folders: ModelFolders


class WalkProgress(Protocol):
    """Receives the progress of a walk-forward."""

    def begins(self, trainings: int, seconds: float) -> None:
        """So many folds are to be trained, each in at most so many seconds, measured here."""

    def trains(self, fold: int, stage: StageName) -> StageReporter | None:
        """What a stage of a fold shows after each step."""

    def judges(self, fold: int) -> Callable[[int, int], None]:
        """What a fold's evaluation tells of forecasts done and of all."""

    def ended(self, fold: int, evaluation: dict[str, Any]) -> None:
        """A fold is done; its evaluation."""


def walk_forward(
    config: ModelConfig,
    folds: int,
    root: Path | None = None,
    *,
    force: bool = False,
    watch: WalkProgress | None = None,
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
    folders = model_folders(config, root)
    config = _as_trained(config, folders.models)
    kept = _kept(config, folders.folds, folds, WalkRecord, force=force)
    with ExitStack() as lock:
        with reading(folders.dataset, _("the dataset {name}", name=folders.dataset.name)):
            inputs = _inputs(config, folders.dataset, folds)
            if evaluation := kept.read(inputs):
                return evaluation
            lock.enter_context(locked(folders.folds, _("the folds {place}", place=folders.folds), wait=WAIT_S))
            walk = _cut(config, folders, folds, root, force=force)
        if watch and (untrained := [fold for fold in walk if not _is_trained(fold)]):
            stages = cost(config, untrained[-1].folders, STAGES)  # of the fold with the most windows
            watch.begins(len(untrained), sum(stage["seconds"] for stage in stages.values()))
        rows = [_train_and_judge(config, fold, len(walk), watch) for fold in walk]
        head = {
            "schema": LAYOUT,
            "name": config.name,
            "model_name": config.model_name,
            "fingerprint": fingerprint(inputs),
        }
        evaluation = {**head, **_pooled(config, walk, rows), "provenance": inputs}
        write_atomic(kept.path, json_bytes(evaluation))
    return evaluation


def _kept(config: ModelConfig, folder: Path, folds: int, kind: type[E], *, force: bool = False) -> Kept[E]:
    """The evaluation in `folder`. A damaged one is recreated: that is cheap beside the trainings, which --force discards."""
    remedy = evaluate_command(config.name, "--folds", str(folds))
    return Kept(folder / EVALUATION, kind, remedy, force=force, replace_damaged=True, announce=kind is WalkRecord)


def _inputs(config: ModelConfig, dataset: Path, folds: int) -> dict[str, Any]:
    """Everything that the figures depend on. Call it while the dataset is held for reading."""
    return {
        "schema": LAYOUT,
        "dataset": finished_manifest(dataset, config).fingerprint,
        "folds": folds,
        "split": config.split.model_dump(include={"train", "val"}),
        "train": curve(config.train),
        "models": {START: start(config.train).facts},
        "settings": config.evaluate.model_dump(mode="json"),
        **surroundings(config),
    }


def _as_trained(config: ModelConfig, models: Path) -> ModelConfig:
    """`config` with the settings that the model in the folder `models` was trained with, if it was."""
    training = begun(models)
    if training is None:
        return config
    free = {key: getattr(config.train, key) for key in FREE}
    return config.model_copy(update={"train": training.rules.model_copy(update=free)})


def _cut(config: ModelConfig, folders: ModelFolders, folds: int, root: Path, *, force: bool) -> list[Fold]:
    """Every fold with its dataset, in order of time. `force` removes the earlier folds once it is certain that `folds` fit."""
    history, window = History(folders.dataset), config.dataset.window
    timeline = history.timeline

    def windows(count: int) -> list[dict[str, int]]:
        return [history.windows(at, window) for at in fold_cuts(timeline, config.split, count)]

    check_folds(windows, folds, history.series, config.split, window)
    if force:
        shutil.rmtree(folders.folds, ignore_errors=True)
    manifest = read_manifest(folders.dataset, config.name)
    walk = []
    for number, at in enumerate(fold_cuts(timeline, config.split, folds), 1):
        walk.append(Fold(number, at, folders.fold(number)))
        facts = {"number": number, "of": folds, "history": manifest.fingerprint}
        _make_dataset(config, history, walk[-1], facts, manifest, root)
    return walk


def _make_dataset(
    config: ModelConfig, history: History, fold: Fold, facts: dict[str, Any], manifest: Manifest, root: Path
) -> None:
    """Make the dataset of `fold`, unless it stands there. `manifest` is that of the dataset that it is cut from."""
    folder, window = fold.folders.dataset, config.dataset.window
    recover(folder, MANIFEST, DATASET_FILES)
    if (folder / MANIFEST).exists():
        _refuse_other(folder, {"fold": facts, "cuts": _times(fold.cuts)}, config.name)
        return
    with publishing(folder, MANIFEST, DATASET_FILES) as staging:
        with DatasetWriter(staging, fold.cuts, window) as writer:
            written = {series: writer.add(series, history.candles(series)) for series in history.series}
            writer.finish()
        windows = {series: part.windows for series, part in written.items()}
        summary = summarise(
            config,
            folder=DatasetFolders(root, folder, None).shown,
            source=manifest.source,
            cuts=_times(fold.cuts),
            series={str(series): {"windows": part.windows, "bars_in_no_window": part.bars_in_no_window}
                    for series, part in written.items()},
            windows=total(windows.values()),
            warnings=[text.both() for text in check_windows(windows, config.split, window)],
        )  # fmt: skip
        (staging / MANIFEST).write_bytes(json_bytes({**seal(summary, staging, writer.digests), "fold": facts}))


def _refuse_other(folder: Path, expected: dict[str, Any], model: str) -> None:
    """Raise UsageError where the fold's dataset that stands in `folder` is cut from other bars, or elsewhere."""
    recorded = read_manifest(folder, model).content
    if {key: recorded.get(key) for key in expected} == expected:
        return
    before, asked = (
        f"{fold.get('of')} × {str(fold.get('history'))[:12]}" for fold in (recorded.get("fold", {}), expected["fold"])
    )
    raise UsageError(
        _(
            "{parent} holds folds of another history or number ({had}; requested: {asked}); use --force to train "
            "all of them again",
            parent=folder.parent.parent,
            had=before,
            asked=asked,
        )
    )


def _times(cuts: Cuts) -> dict[str, str]:
    """As JSON; the last fold's test window ends with the history."""
    return {name: iso(at) for name, at in cuts._asdict().items() if at != ALWAYS.stop}


def _is_trained(fold: Fold) -> bool:
    state = saved(fold.folders.stage("predictor"))
    return state is not None and state[0].finished


def _train_and_judge(config: ModelConfig, fold: Fold, folds: int, watch: WalkProgress | None) -> dict[str, Any]:
    """The row of `fold` in the table, after training and judging it as far as that is not done."""

    def trains(stage: StageName) -> StageReporter | None:
        return watch.trains(fold.number, stage) if watch else None

    folders = fold.folders
    train(config, folders=folders, resume=True, reporter=trains)
    evaluation = evaluated(
        config,
        folders.models,
        folders.dataset,
        _kept(config, folders.models, folds, EvaluationRecord),
        progress=watch.judges(fold.number) if watch else lambda done, total: None,
        scores=folders.models / SCORES,
    )
    if watch:
        watch.ended(fold.number, evaluation)
    tables = {name: {key: scores[key] for key in ("kind", "pooled")} for name, scores in evaluation["models"].items()}
    copied = {key: evaluation[key] for key in ("fingerprint", "verdict", "origins", "differences", "possibly_seen")}
    windows = read_manifest(folders.dataset, config.name).windows
    return {"fold": fold.number, "cuts": _times(fold.cuts), "windows": windows, **copied, "models": tables}


def _pooled(config: ModelConfig, walk: Sequence[Fold], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All forecasts of all folds as those of one test, and the folds' own rows."""
    judged = Judged.join([_scores(fold, row["fingerprint"]) for fold, row in zip(walk, rows, strict=True)])
    conclusion = conclude(
        judged,
        MODELS,
        config.dataset,
        config.evaluate,
        seen=maybe_seen(config.train),
        scratch=config.train.init == "scratch",
        folds=len(walk),
    )
    return {
        **conclusion,
        "folds": list(rows),
        "lower_in": {other: sum(_is_lower(row, other) for row in rows) for other in conclusion["differences"][TUNED]},
        "notes": [*(note.both() for note in NOTES), *notes(conclusion["origins"]["possibly_seen"])],
    }


def _scores(fold: Fold, identity: str) -> Judged:
    judged = Judged.load(fold.folders.models / SCORES, identity)
    assert judged is not None  # `evaluated` saw to it
    return judged


def _is_lower(row: dict[str, Any], other: str) -> bool:
    """Whether the fold's fine-tuned model has a lower mean CRPS than `other`."""
    difference = row["differences"][TUNED][other]["crps"]["value"]
    return difference is not None and difference < 0
