"""What training needs to go on exactly where it was: `last/`, an ordinary checkpoint with two files more.

Randomness belongs to the step (it is seeded from seed, step and rank), the learning rate and the order of windows are
functions of it: so the step is all that there is to save of generator, schedule and sampler.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from kronosforge.config import TrainConfig
from kronosforge.core.digests import json_bytes, sha256
from kronosforge.core.errors import ModelError, UsageError
from kronosforge.core.files import publishing, recover
from kronosforge.core.i18n import _
from kronosforge.dataset.loader import Loader, Windows
from kronosforge.model import KronosTokenizer
from kronosforge.model.checkpoint import CONFIG, WEIGHTS, Checkpoint
from kronosforge.train.objectives import Objective
from kronosforge.workspace.paths import BEST, CANDIDATE, LAST, TOKENIZER, TRAINING
from kronosforge.workspace.training_record import TrainingRecord, last_record, read_training

TENSORS = "training.safetensors"
FILES = (CONFIG, WEIGHTS, TENSORS)
BETTER = 1e-6  # relative; less than this is noise of the arithmetic, not progress


@dataclass
class StageProgress:
    """How far a stage has come."""

    epoch: int = 0  # that is being trained; 0 before the first
    step_in_epoch: int = 0
    step: int = 0  # optimiser steps in all
    sums: dict[str, float] = field(default_factory=dict)  # of this epoch's losses, weighted by windows
    first_loss: float | None = None
    epochs: list[dict[str, Any]] = field(default_factory=list)  # what each validation said, epoch 0 first
    best: float = 0.0  # headline of the best epoch
    best_epoch: int = 0
    finished: bool = False

    def add(self, values: Mapping[str, float], windows: int) -> None:
        """Count a step and its mean losses over `windows`."""
        self.step, self.step_in_epoch = self.step + 1, self.step_in_epoch + 1
        for key, value in {**values, "windows": 1.0}.items():
            self.sums[key] = self.sums.get(key, 0.0) + value * windows

    def judge(self, metrics: dict[str, float], headline: float) -> bool:
        """Add what validation said of an epoch; True where it is the best so far."""
        total = self.sums.get("windows", 0.0)
        train = {key: value / total for key, value in self.sums.items() if key != "windows"}
        better = not self.epochs or headline < self.best - BETTER * abs(self.best)
        self.epochs.append({"epoch": len(self.epochs), "train": train, "val": metrics, "best": better})
        if better:
            self.best, self.best_epoch = headline, len(self.epochs) - 1
        return better

    def next_epoch(self) -> None:
        """Begin the next epoch."""
        self.epoch, self.step_in_epoch, self.sums = self.epoch + 1, 0, {}

    @property
    def stale(self) -> int:
        """Epochs since the best one."""
        return len(self.epochs) - 1 - self.best_epoch


class Stage(NamedTuple):
    """One network on its way, and all that its loop needs."""

    name: str  # tokenizer or predictor
    objective: Objective
    ordinary: Callable[[], Checkpoint]  # the network as others load it
    optimizer: Optimizer
    train: Loader
    val: Loader
    windows: Windows  # of the training split, to name those of a bad step
    lookback: int
    settings: TrainConfig
    peak: float  # learning rate
    clip: float  # of the gradient's norm
    folder: Path
    facts: Mapping[str, Any]  # what must be the same for a resumed run


def save(folder: Path, stage: Stage, progress: StageProgress) -> None:
    """Write `last/` into `folder`, replacing the one before.

    What an ordinary checkpoint lacks of the weights that are trained (LoRA's) goes into TENSORS, with the optimiser's.
    """
    tensors = {
        f"optimizer.{index}.{key}": value.detach().cpu()
        for index, state in stage.optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }
    network, ordinary = stage.objective.network, stage.ordinary()
    if network is not ordinary:
        tensors |= {f"network.{key}": value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    with publishing(folder / LAST, TRAINING, FILES) as staging:
        ordinary.write(staging)
        save_file(tensors, staging / TENSORS)
        (staging / TRAINING).write_bytes(_record(asdict(progress), stage.facts))


def publish(folder: Path, stage: Stage, progress: StageProgress) -> None:
    """Make the best of a finished run the stage's `best_model/`, together with its record and, beside a predictor, the
    tokenizer whose ids it learned: who finds one finds the others."""
    best = folder / CANDIDATE if (folder / CANDIDATE / CONFIG).exists() else folder / BEST
    _publish(folder, best, stage.objective.tokenizer, asdict(progress), stage.facts)


def complete(folder: Path, tokenizer: KronosTokenizer, record: TrainingRecord) -> None:
    """Put the tokenizer and the record beside a predictor that an older version published without them."""
    content = record.model_dump()
    _publish(folder, folder / BEST, tokenizer, content["progress"], content["facts"])


def _publish(
    folder: Path, best: Path, tokenizer: KronosTokenizer | None, progress: Mapping[str, Any], facts: Mapping[str, Any]
) -> None:
    with publishing(folder / BEST, CONFIG, (WEIGHTS, TOKENIZER, TRAINING)) as staging:
        for name in (CONFIG, WEIGHTS):
            shutil.copyfile(best / name, staging / name)
        if tokenizer:
            (staging / TOKENIZER).mkdir()
            tokenizer.write(staging / TOKENIZER)
        files = {
            path.relative_to(staging).as_posix(): sha256(path) for path in sorted(staging.rglob("*")) if path.is_file()
        }
        (staging / TRAINING).write_bytes(_record(progress, facts, files=files))


def _record(progress: Mapping[str, Any], facts: Mapping[str, Any], **others: Any) -> bytes:
    return json_bytes({"progress": progress, "facts": facts, **others})


def recover_saved(folder: Path) -> None:
    """Finish, or sweep away, what a killed `save` left of the `last/` in `folder`. Call it under the lock of `folder`."""
    if (folder / LAST).exists():
        recover(folder / LAST, TRAINING, FILES)


def saved(folder: Path) -> tuple[StageProgress, dict[str, Any]] | None:
    """Progress and facts of the `last/` in `folder`, None where there is none. Raises ModelError where it is broken.

    Reads only, so that any process may call it; what a killed `save` left is put in order by `recover_saved`.
    """
    path = last_record(folder)
    if not path.exists():
        return None
    record = read_training(path)
    return StageProgress(
        **record.progress.model_dump(include={field.name for field in fields(StageProgress)})
    ), record.facts


def restore(folder: Path, network: nn.Module, optimizer: Optimizer) -> None:
    """Put the weights and the optimiser's state of `folder`'s `last/` back. Raises ModelError where they do not fit."""
    path = folder / LAST / TENSORS
    tensors = _load(path)
    own = {key.removeprefix("network."): value for key, value in tensors.items() if key.startswith("network.")}
    weights = path if own else path.with_name(WEIGHTS)
    try:
        network.load_state_dict(own or _load(weights))
    except RuntimeError as error:
        raise _broken(weights, str(error).splitlines()[0]) from None
    try:
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                state.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    except (RuntimeError, ValueError, LookupError) as error:
        raise _broken(path, str(error).splitlines()[0]) from None


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise _broken(path, str(error).splitlines()[0]) from None


def must_match(recorded: Mapping[str, Any], now: Mapping[str, Any], folder: Path, *, new_data: bool) -> None:
    """Raise UsageError where a run cannot go on as it was: another dataset (unless `new_data`) or other settings."""
    if recorded["dataset"] != now["dataset"] and not new_data:
        raise UsageError(
            _(
                "{folder} was trained on dataset {dataset}, and the dataset is now {dataset2}; use "
                "--accept-new-data to continue with it, or --force to train again",
                folder=folder,
                dataset=recorded["dataset"][:12],
                dataset2=now["dataset"][:12],
            )
        )
    changed = sorted(key for key in now if key != "dataset" and recorded.get(key) != now[key])
    if changed:
        detail = ", ".join(f"{key} {recorded.get(key)!r} → {now[key]!r}" for key in changed[:4])
        raise UsageError(
            _(
                "{folder} was trained with other settings ({detail}); restore them, or use --force to train again",
                folder=folder,
                detail=detail,
            )
        )


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed torch for one step of one process."""
    torch.manual_seed(((seed * 1_000_003 + step) * 1_000_003 + rank) % 2**63)


def _broken(path: Path, problem: str) -> ModelError:
    return ModelError(_("{path} cannot be used ({value}); use --force to train again", path=path, value=problem))
