"""training.json: how far a training came, and with which settings and data. Written by `train.state`."""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import field_validator, model_validator

from kronosforge.core.digests import sha256
from kronosforge.core.errors import ModelError
from kronosforge.core.i18n import _
from kronosforge.core.records import Record, read_record
from kronosforge.workspace.paths import BEST, LAST, TRAINING

CLIP = "dataset_clip"  # among the facts


class EpochRecord(Record):
    """What validation said after an epoch; epoch 0 is before any step."""

    epoch: int
    train: dict[str, float]
    val: dict[str, float]
    best: bool


class ProgressRecord(Record):
    """How far a stage came; `train.state.StageProgress` while it runs."""

    epoch: int
    step_in_epoch: int
    step: int
    sums: dict[str, float]
    first_loss: float | None
    epochs: list[EpochRecord]
    best: float
    best_epoch: int
    finished: bool

    @model_validator(mode="after")
    def _best_is_an_epoch(self) -> Self:
        if not 0 <= self.best_epoch < len(self.epochs):
            raise ValueError(f"best_epoch {self.best_epoch} is not one of the {len(self.epochs)} epochs")
        return self


class TrainingRecord(Record):
    """A stage's progress, and what must be the same for a run that resumes it: settings, dataset, tokenizer."""

    progress: ProgressRecord
    facts: dict[str, Any]
    files: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it. Of a published run: file beside it → SHA-256; none before 2026-11-26

    @field_validator("facts")
    @classmethod
    def _names_its_dataset(cls, facts: dict[str, Any]) -> dict[str, Any]:
        if not facts.get("dataset"):
            raise ValueError("dataset is missing")
        return facts

    @property
    def clip(self) -> float | None:
        """The bound of normalised values in training; None in records before 2026-11-27."""
        clip = self.facts.get(CLIP)
        return float(clip) if isinstance(clip, int | float) else None

    @property
    def dataset(self) -> str:
        """Fingerprint of the dataset."""
        return str(self.facts["dataset"])


def refuse_other_files(path: Path, record: TrainingRecord) -> None:
    """Raise ModelError where a file beside the published record at `path` is not the one that was published."""
    for name, published in record.files.items():
        file = path.parent / name
        try:
            problem = "" if sha256(file) == published else _("its content is not what training published")
        except OSError as error:
            problem = os.strerror(error.errno or 0)
        if problem:
            raise unusable(file, problem, path.parents[2].name)


def unusable(file: Path, problem: str, model: str) -> ModelError:
    """The error for a published file of `model`, with the command that replaces it."""
    return ModelError(
        _(
            "{file} cannot be used ({problem}); train the model again: kronosforge train --models {model} --force",
            file=file,
            problem=problem,
            model=model,
        )
    )


def read_training(path: Path) -> TrainingRecord:
    """The record at `path`, which is outputs/models/<model>/<stage>/…/training.json. Raises ModelError."""
    model = path.parents[2].name
    return read_record(path, TrainingRecord, ModelError, f"kronosforge train --models {model} --force")


def last_record(stage: Path) -> Path:
    """Where a stage keeps the record of its newest run, finished or not."""
    return stage / LAST / TRAINING


def published_record(stage: Path) -> Path:
    """Where a stage keeps the record of the run that made its best_model."""
    return stage / BEST / TRAINING
