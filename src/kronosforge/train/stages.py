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
from kronosforge.train.devices import Place, place
from kronosforge.train.journal import Journal
from kronosforge.train.loop import Training, Watch
from kronosforge.train.objectives import Objective, PredictorObjective, TokenizerObjective
from kronosforge.train.state import Progress, Stage, complete, must_match, recover_saved, restore, saved
from kronosforge.workspace.paths import (
    BEST,
    CANDIDATE,
    LAST,
    ModelFolders,
    model_folders,
    workspace_root,
)
from kronosforge.workspace.training_record import (
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

# A killed run's processes end within seconds; whoever starts it again waits for them.
WAIT_S = 10.0

# What may change between a run and the one that resumes it.
FREE = {"device", "workers", "save_every_s", "compile", "patience"}


class TrainedStage(NamedTuple):
    """A finished stage: its folder and the progress that ended it."""

    folder: Path
    progress: Progress
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
    watch: Callable[[StageName], Watch | None] | None = None,
    where: ModelFolders | None = None,
) -> dict[StageName, TrainedStage]:
    """Train `stages` of `config` in the workspace `root`, in this process or in all that torchrun started.

    Without `root`, the workspace around the current folder; `where` are other folders than the model's own there.
    A finished run with the same settings and data is kept; `resume` goes on where one was stopped, `force` trains anew.
    Raises UsageError where a run is not finished and neither is given, or where it has other settings or data; DataError without a dataset, ModelError without weights to start from,
    TrainingError where the loss explodes. `watch` gives each stage somebody to tell how it goes.
    """
    where = where or model_folders(config, root or workspace_root())
    done: dict[StageName, TrainedStage] = {}
    with (
        reading(where.dataset, _("the dataset {name}", name=where.dataset.name)),
        place(config.train.device, config.train.precision) as here,
    ):
        dataset = finished_manifest(where.dataset, config).fingerprint
        stages = tuple(stages)
        if force:
            _forget(where, stages, here)
        for name in stages:
            _refuse_changed(where.dataset, config, dataset)
            with _held(where.stage(name), here):
                done[name] = _one(
                    config, where, name, {"dataset": dataset}, here, resume=resume, force=force, new_data=new_data,
                    watch=watch(name) if watch and here.main else None,
                )  # fmt: skip
            here.barrier()
    return done


def _forget(where: ModelFolders, stages: Iterable[StageName], here: Place) -> None:
    """Remove the runs of all stages that are trained anew, so that a later --resume goes on with this one alone.

    What a finished run published stays. A predictor that was not published with its record keeps its run until its own
    stage begins: only that run says which tokenizer is its own.
    """
    if here.main:
        _complete_published(where, here)
    for name in stages:
        with _held(where.stage(name), here):
            if here.main and published_record(where.stage(name)).exists():
                shutil.rmtree(where.stage(name) / LAST, ignore_errors=True)
    here.barrier()


def _complete_published(where: ModelFolders, here: Place) -> None:
    """Put the tokenizer of a training before 2026-11-26 beside its predictor, before another takes its place."""
    folder, tokenizer = where.stage("predictor"), where.stage("tokenizer") / BEST
    if published_record(folder).exists() or not all(path.exists() for path in (folder / BEST, tokenizer)):
        return
    with _held(folder, here), suppress(ModelError):  # what is broken cannot be kept
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
    where = model_folders(config, root)
    for name in stages:
        if (path := last_record(where.stage(name))).exists():
            record = read_training(path)
            if not record.progress.finished:
                raise _unfinished(where.stage(name))
            asked = {"dataset": finished_manifest(where.dataset, config).fingerprint, **curve(config.train)}
            must_match(record.facts, asked, where.stage(name), new_data=False)


def _unfinished(folder: Path) -> UsageError:
    return UsageError(
        _("{folder} holds a training that is not finished; --resume continues it, --force trains anew", folder=folder)
    )


def _held(folder: Path, here: Place) -> AbstractContextManager[None]:
    """Only the process that writes holds the folder."""
    return locked(folder, _("the run {folder}", folder=folder), wait=WAIT_S) if here.main else nullcontext()


def _one(
    config: ModelConfig, where: ModelFolders, name: StageName, facts: dict[str, Any], here: Place, *,
    resume: bool, force: bool, new_data: bool, watch: Watch | None,
) -> TrainedStage:  # fmt: skip
    folder = where.stage(name)
    if here.main:  # it alone holds the lock
        if force:
            shutil.rmtree(folder / LAST, ignore_errors=True)
            shutil.rmtree(folder / CANDIDATE, ignore_errors=True)
        recover_saved(folder)
    here.barrier()
    earlier = saved(folder)
    if earlier and not (resume or earlier[0].finished):
        raise _unfinished(folder)
    start = build(config, where, name)
    own = {"stage": name, "world": here.world, "tokenizer_ids": start.objective.ids_of}
    facts = facts | curve(config.train) | own
    if earlier:
        must_match(earlier[1], facts, folder, new_data=new_data)
    stage = assemble(config, where, name, start, facts, here)
    progress = earlier[0] if earlier else Progress()
    if earlier:
        restore(folder, start.objective.network, stage.optimizer)
    kept = progress.finished
    if kept and here.main:
        _refuse_damaged_publication(folder)
    if not kept:
        with Journal(folder, progress, f"{config.name} {name}") if here.main else nullcontext() as journal:
            Training(stage, progress, here, journal=journal, watch=watch).run()
    return TrainedStage(folder, progress, start.objective.HEADLINE, kept)


def _refuse_damaged_publication(folder: Path) -> None:
    """Raise ModelError where a published file of a finished run is missing or changed."""
    path = published_record(folder)
    if os.path.lexists(path):
        refuse_other_files(path, read_training(path))
    for file in (path.with_name(CONFIG), path.with_name(WEIGHTS)):  # records before 2026-11-26 name no files
        if not file.is_file():
            raise unusable(file, _("it is missing"), path.parents[2].name)


def curve(rules: TrainConfig) -> dict[str, Any]:
    """The settings that shape the loss curve."""
    return {key: value for key, value in rules.model_dump(mode="json").items() if key not in FREE}


class Start(NamedTuple):
    """What a stage starts from, and how its network is had as others load it."""

    objective: Objective
    ordinary: Callable[[], Checkpoint]


def assemble(
    config: ModelConfig, where: ModelFolders, name: StageName, start: Start, facts: dict[str, Any], here: Place
) -> Stage:
    """The stage of `start`, on its device, with optimiser and windows."""
    objective = start.objective
    rules = config.train
    if name == "tokenizer" and rules.freeze_tokenizer:
        rules = rules.model_copy(update={"epochs": 0})  # measured, and kept as it is
    objective.move(here.device)
    windows = Windows.open(where.dataset, "train", config.dataset)
    val = Windows.open(where.dataset, "val", config.dataset)
    parameters = [p for p in objective.network.parameters() if p.requires_grad]
    fused = here.device.type != "mps"
    # upstream gives betas to the predictor's optimiser only; the tokenizer's has AdamW's own
    betas = rules.betas if name == "predictor" else (0.9, 0.999)
    return Stage(
        name=name,
        objective=objective,
        ordinary=start.ordinary,
        optimizer=torch.optim.AdamW(parameters, betas=betas, weight_decay=rules.weight_decay, fused=fused),
        train=Loader(
            windows,
            rules.batch_size * rules.accumulate,
            seed=rules.seed,
            mix=rules.mix,
            per_epoch=rules.windows_per_epoch,
            rank=here.rank,
            world=here.world,
            workers=rules.workers,
        ),
        val=Loader(val, rules.batch_size, rank=here.rank, world=here.world, workers=rules.workers),
        windows=windows,
        lookback=config.dataset.lookback,
        rules=rules,
        peak=peak(rules, name),
        clip=rules.tokenizer_clip if name == "tokenizer" else rules.predictor_clip,
        folder=where.stage(name),
        facts=facts,
    )


def peak(rules: TrainConfig, name: StageName) -> float:
    """The peak learning rate of a stage."""
    given = rules.tokenizer_lr if name == "tokenizer" else rules.predictor_lr
    return given or RATES[name][rules.init == "scratch"]


def build(config: ModelConfig, where: ModelFolders, name: StageName) -> Start:
    """The objective with the weights that training starts from. Raises ModelError."""
    rules = config.train
    torch.manual_seed(rules.seed)  # of random weights; steps have seeds of their own
    if name == "tokenizer":
        if rules.init == "pretrained":
            refuse_other_publication(rules.tokenizer, rules.predictor)
        tokenizer = (
            KronosTokenizer(PRESETS[rules.size].tokenizer)
            if rules.init == "scratch"
            else KronosTokenizer.from_pretrained(rules.tokenizer, revision=rules.tokenizer_revision)
        )
        return Start(TokenizerObjective(tokenizer, config.dataset.clip), lambda: tokenizer)
    tokenizer = the_tokenizer(rules, where)
    predictor = (
        KronosPredictor(PRESETS[rules.size].predictor)
        if rules.init == "scratch"
        else KronosPredictor.from_pretrained(rules.predictor, revision=rules.predictor_revision)
    )
    refuse_mismatch(tokenizer.arguments, predictor.arguments)
    if rules.lora:
        lora.inject(predictor, rules.lora)
    ordinary = partial(lora.merged, predictor) if rules.lora else lambda: predictor
    return Start(PredictorObjective(predictor, tokenizer), ordinary)


def the_tokenizer(rules: TrainConfig, where: ModelFolders) -> KronosTokenizer:
    """The tokenizer whose ids the predictor reads: the one just trained, else the given or published one."""
    trained = where.stage("tokenizer") / BEST
    if trained.exists():
        _refuse_damaged_publication(trained.parent)
        return KronosTokenizer.from_pretrained(trained)
    if rules.init == "pretrained":
        try:
            return KronosTokenizer.from_pretrained(rules.tokenizer, revision=rules.tokenizer_revision)
        except ModelError as error:
            raise ModelError(f"Predictor requires tokenizer: {error}") from None
    raise ModelError(
        _(
            "Predictor requires tokenizer: there is none in {trained}; train it first (--stage tokenizer or both)",
            trained=trained,
        )
    )
