"""training.json: how far a training came, and with which settings and data. Written by `train.state`."""

from pathlib import Path
from typing import Any

from kronosforge.core.errors import ModelError
from kronosforge.core.records import Record, read_record
from kronosforge.workspace.paths import BEST, LAST, TRAINING


class ProgressRecord(Record):
    """How far a stage came; `train.state.Progress` while it runs."""

    epoch: int
    step_in_epoch: int
    step: int
    sums: dict[str, float]
    first_loss: float | None
    epochs: list[dict[str, Any]]
    best: float
    best_epoch: int
    finished: bool


class TrainingRecord(Record):
    """A stage's progress, and what must be the same for a run that resumes it: settings, dataset, tokenizer."""

    progress: ProgressRecord
    facts: dict[str, Any]

    @property
    def dataset(self) -> str:
        """Fingerprint of the dataset."""
        return str(self.facts["dataset"])


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
