"""One model's two stages: tokenizer, then predictor. What each starts from, and what it leaves."""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import torch

from kronosforge.config import ModelConfig, TrainConfig
from kronosforge.core.errors import DataError, ModelError, UsageError
from kronosforge.core.i18n import _
from kronosforge.core.locks import locked, reading
from kronosforge.dataset.loader import Loader, Windows
from kronosforge.dataset.manifest import finished_manifest
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.model.checkpoint import CONFIG, WEIGHTS, Checkpoint, digest
from kronosforge.model.presets import refuse_mismatch, refuse_other_publication
from kronosforge.train import lora
from kronosforge.train.devices import Place, open_place
from kronosforge.train.journal import Journal
from kronosforge.train.loop import StageReporter, Training
from kronosforge.train.objectives import Objective, PredictorObjective, TokenizerObjective
from kronosforge.train.state import Stage, StageProgress, complete, must_match, recover_saved, restore, saved
from kronosforge.workspace.paths import (
    BEST,
    CANDIDATE,
    LAST,
    ModelFolders,
    model_folders,
    workspace_root,
)
from kronosforge.workspace.training_record import (
    CLIP,
    last_record,
    published_record,
    read_training,
    refuse_other_files,
    unusable,
)

StageName: TypeAlias = Literal["tokenizer", "predictor"]
STAGES: tuple[StageName, ...] = ("tokenizer", "predictor")

# Peak learning rates: (from published weights, from scratch)
RATES: dict[StageName, tuple[float, float]] = {"tokenizer": (2e-4, 1e-3), "predictor": (1e-5, 1e-3)}

# A killed run's processes end within seconds; the next run waits for them.
WAIT_S = 10.0

# What may change between a run and the one that resumes it.
FREE = {"device", "workers", "save_every_s", "compile", "patience"}


class TrainedStage(NamedTuple):
    """A finished stage: its folder and the progress that ended it."""

    folder: Path
    progress: StageProgress
    headline: str
    kept: bool = False  # True where it was finished already, with the same settings and data

    @property
    def best(self) -> Path:
        """The checkpoint of its best epoch."""
        return self.folder / BEST

    @property
    def improved(self) -> bool:
        """False where no epoch was better than what training started from."""
        return self.progress.best_epoch > 0

    def score(self, epoch: int) -> float:
        """The headline metric after `epoch`."""
        return float(self.progress.epochs[epoch]["val"][self.headline])


def train(
    config: ModelConfig,
    root: Path | None = None,
    stages: Iterable[StageName] = STAGES,
    *,
    resume: bool = False,
    force: bool = False,
    new_data: bool = False,
    reporter: Callable[[StageName], StageReporter | None] | None = None,
    folders: ModelFolders | None = None,
) -> dict[StageName, TrainedStage]:
    """Train `stages` of `config` in the workspace `root`, in this process or in all that torchrun started.

    Without `root`, the workspace around the current folder; `folders` are other folders than the model's own there.
    A finished run with the same settings and data is kept; `resume` goes on where one was stopped, `force` trains again.
    Returns each stage's result. Raises UsageError where a run is not finished and neither is given, or where it has other
    settings or data; DataError without a dataset, ModelError without weights to start from, TrainingError where the loss
    explodes. `reporter` returns what receives the progress of a stage.
    """
    folders = folders or model_folders(config, root or workspace_root())
    done: dict[StageName, TrainedStage] = {}
    with (
        reading(folders.dataset, _("the dataset {name}", name=folders.dataset.name)),
        open_place(config.train.device, config.train.precision) as place,
    ):
        dataset = finished_manifest(folders.dataset, config).fingerprint
        stages = tuple(stages)
        if force:
            _forget(folders, stages, place)
        for name in stages:
            _refuse_changed(folders.dataset, config, dataset)
            with _held(folders.stage(name), place):
                done[name] = _train_stage(
                    config, folders, name, {"dataset": dataset}, place, resume=resume, force=force, new_data=new_data,
                    reporter=reporter(name) if reporter and place.main else None,
                )  # fmt: skip
            place.barrier()
    return done


def _forget(folders: ModelFolders, stages: Iterable[StageName], place: Place) -> None:
    """Remove the runs of all stages that are trained again, so that a later --resume continues this one alone.

    What a finished run published stays. A predictor that was not published with its record keeps its run until its own
    stage begins: only that run says which tokenizer is its own.
    """
    if place.main:
        _complete_published(folders, place)
    for name in stages:
        with _held(folders.stage(name), place):
            if place.main and published_record(folders.stage(name)).exists():
                shutil.rmtree(folders.stage(name) / LAST, ignore_errors=True)
    place.barrier()


def _complete_published(folders: ModelFolders, place: Place) -> None:
    """Put the tokenizer of a training before 2026-11-26 beside its predictor, before another takes its place."""
    folder, tokenizer = folders.stage("predictor"), folders.stage("tokenizer") / BEST
    if published_record(folder).exists() or not all(path.exists() for path in (folder / BEST, tokenizer)):
        return
    with _held(folder, place), suppress(ModelError):  # what is broken cannot be kept
        record, network = read_training(last_record(folder)), KronosTokenizer.from_pretrained(tokenizer)
        if record.progress.finished and digest(network) == record.facts.get("tokenizer_ids"):
            complete(folder, network, record)


def _refuse_changed(folder: Path, config: ModelConfig, dataset: str) -> None:
    """Raise DataError where the dataset is another than when training began: something did not wait for the lock."""
    if (now := finished_manifest(folder, config).fingerprint) != dataset:
        raise DataError(
            _(
                "{folder} was replaced while it was trained on ({dataset} → {now}); train again with --force",
                folder=folder,
                dataset=dataset[:12],
                now=now[:12],
            )
        )


def guard(config: ModelConfig, root: Path, stages: Iterable[StageName]) -> None:
    """Raise UsageError where a run of one of `stages` is not finished, or is finished with other settings or data."""
    folders = model_folders(config, root)
    for name in stages:
        if (path := last_record(folders.stage(name))).exists():
            record = read_training(path)
            if not record.progress.finished:
                raise _unfinished(folders.stage(name))
            asked = {"dataset": finished_manifest(folders.dataset, config).fingerprint, **curve(config.train)}
            must_match(record.facts, asked, folders.stage(name), new_data=False)


def _unfinished(folder: Path) -> UsageError:
    return UsageError(
        _(
            "{folder} holds a training that is not finished; use --resume to continue it, or --force to train again",
            folder=folder,
        )
    )


def _held(folder: Path, place: Place) -> AbstractContextManager[None]:
    """Only the process that writes holds the folder."""
    return locked(folder, _("the run {folder}", folder=folder), wait=WAIT_S) if place.main else nullcontext()


def _train_stage(
    config: ModelConfig, folders: ModelFolders, name: StageName, facts: dict[str, Any], place: Place, *,
    resume: bool, force: bool, new_data: bool, reporter: StageReporter | None,
) -> TrainedStage:  # fmt: skip
    folder = folders.stage(name)
    if place.main:  # it alone holds the lock
        if force:
            shutil.rmtree(folder / LAST, ignore_errors=True)
            shutil.rmtree(folder / CANDIDATE, ignore_errors=True)
        recover_saved(folder)
    place.barrier()
    earlier = saved(folder)
    if earlier and not (resume or earlier[0].finished):
        raise _unfinished(folder)
    start = build(config, folders, name)
    own = {"stage": name, "world": place.world, "tokenizer_ids": start.objective.ids_of}
    facts = facts | curve(config.train) | own
    if earlier:
        must_match(earlier[1], facts, folder, new_data=new_data)
    facts |= {CLIP: config.dataset.clip}  # not compared: it belongs to the dataset's settings, and older runs lack it
    stage = assemble(config, folders, name, start, facts, place)
    progress = earlier[0] if earlier else StageProgress()
    if earlier:
        restore(folder, start.objective.network, stage.optimizer)
    kept = progress.finished
    if kept and place.main:
        _refuse_damaged_publication(folder)
    if not kept:
        with Journal(folder, progress, f"{config.name} {name}") if place.main else nullcontext() as journal:
            Training(stage, progress, place, journal=journal, reporter=reporter).run()
    return TrainedStage(folder, progress, start.objective.HEADLINE, kept)


def _refuse_damaged_publication(folder: Path) -> None:
    """Raise ModelError where a published file of a finished run is missing or changed."""
    path = published_record(folder)
    if os.path.lexists(path):
        refuse_other_files(path, read_training(path))
    for file in (path.with_name(CONFIG), path.with_name(WEIGHTS)):  # records before 2026-11-26 name no files
        if not file.is_file():
            raise unusable(file, _("it is missing"), path.parents[2].name)


def curve(settings: TrainConfig) -> dict[str, Any]:
    """The settings that shape the loss curve."""
    return {key: value for key, value in settings.model_dump(mode="json").items() if key not in FREE}


class Start(NamedTuple):
    """What a stage starts from, and how its network is had as others load it."""

    objective: Objective
    ordinary: Callable[[], Checkpoint]


def assemble(
    config: ModelConfig, folders: ModelFolders, name: StageName, start: Start, facts: dict[str, Any], place: Place
) -> Stage:
    """The stage of `start`, on its device, with optimiser and windows."""
    objective = start.objective
    settings = config.train
    if name == "tokenizer" and settings.freeze_tokenizer:
        settings = settings.model_copy(update={"epochs": 0})  # measured, and kept as it is
    objective.move(place.device)
    windows = Windows.open(folders.dataset, "train", config.dataset)
    val = Windows.open(folders.dataset, "val", config.dataset)
    parameters = [p for p in objective.network.parameters() if p.requires_grad]
    fused = place.device.type != "mps"
    # upstream gives betas to the predictor's optimiser only; the tokenizer's has AdamW's own
    betas = settings.betas if name == "predictor" else (0.9, 0.999)
    return Stage(
        name=name,
        objective=objective,
        ordinary=start.ordinary,
        optimizer=torch.optim.AdamW(parameters, betas=betas, weight_decay=settings.weight_decay, fused=fused),
        train=Loader(
            windows,
            settings.batch_size * settings.accumulate,
            seed=settings.seed,
            mix=settings.mix,
            per_epoch=settings.windows_per_epoch,
            rank=place.rank,
            world=place.world,
            workers=settings.workers,
        ),
        val=Loader(val, settings.batch_size, rank=place.rank, world=place.world, workers=settings.workers),
        windows=windows,
        lookback=config.dataset.lookback,
        settings=settings,
        peak=peak(settings, name),
        clip=settings.tokenizer_clip if name == "tokenizer" else settings.predictor_clip,
        folder=folders.stage(name),
        facts=facts,
    )


def peak(settings: TrainConfig, name: StageName) -> float:
    """The peak learning rate of a stage."""
    given = settings.tokenizer_lr if name == "tokenizer" else settings.predictor_lr
    return given or RATES[name][settings.init == "scratch"]


def build(config: ModelConfig, folders: ModelFolders, name: StageName) -> Start:
    """The objective with the weights that training starts from. Raises ModelError."""
    settings = config.train
    torch.manual_seed(settings.seed)  # of random weights; steps have seeds of their own
    if name == "tokenizer":
        if settings.init == "pretrained":
            refuse_other_publication(settings.tokenizer, settings.predictor)
        tokenizer = (
            KronosTokenizer(PRESETS[settings.size].tokenizer)
            if settings.init == "scratch"
            else KronosTokenizer.from_pretrained(settings.tokenizer, revision=settings.tokenizer_revision)
        )
        return Start(TokenizerObjective(tokenizer, config.dataset.clip), lambda: tokenizer)
    tokenizer = the_tokenizer(settings, folders)
    predictor = (
        KronosPredictor(PRESETS[settings.size].predictor)
        if settings.init == "scratch"
        else KronosPredictor.from_pretrained(settings.predictor, revision=settings.predictor_revision)
    )
    refuse_mismatch(tokenizer.arguments, predictor.arguments)
    if settings.lora:
        lora.inject(predictor, settings.lora)
    ordinary = partial(lora.merged, predictor) if settings.lora else lambda: predictor
    return Start(PredictorObjective(predictor, tokenizer), ordinary)


def the_tokenizer(settings: TrainConfig, folders: ModelFolders) -> KronosTokenizer:
    """The tokenizer whose ids the predictor reads: the one just trained, else the given or published one."""
    trained = folders.stage("tokenizer") / BEST
    if trained.exists():
        _refuse_damaged_publication(trained.parent)
        return KronosTokenizer.from_pretrained(trained)
    if settings.init == "pretrained":
        try:
            return KronosTokenizer.from_pretrained(settings.tokenizer, revision=settings.tokenizer_revision)
        except ModelError as error:
            raise ModelError(f"Predictor requires tokenizer: {error}") from None
    raise ModelError(
        _(
            "Predictor requires tokenizer: there is none in {trained}; train it first (--stage tokenizer or both)",
            trained=trained,
        )
    )
