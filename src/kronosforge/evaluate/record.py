"""evaluation.json, read back: of a model, or of a walk-forward."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from kronosforge.core.errors import DataError
from kronosforge.core.records import Record, read_record


class VerdictRecord(Record):
    """What the verdict says, and which model to keep."""

    promote: bool
    state: str
    reason: str
    keep: str | None
    baseline: str
    sentence: dict[str, str]  # by language


class OriginsRecord(Record):
    """How many forecasts were judged, and when."""

    judged: int
    possibly_seen: int
    first: str | None
    last: str | None


class ScoresRecord(Record):
    """A forecaster's scores over all forecasts: metric → value, low, high."""

    pooled: dict[str, dict[str, float | None]]


class EvaluationRecord(Record):
    """What is relied on of an evaluation; the file holds more."""

    layout: Annotated[int, Field(alias="schema")]
    name: str
    fingerprint: str  # of everything that the figures depend on
    verdict: VerdictRecord | None  # None where only some of the models were evaluated
    horizon: int
    origins: OriginsRecord
    models: dict[str, ScoresRecord]
    differences: dict[str, dict[str, Any]]
    notes: list[dict[str, str]]
    provenance: dict[str, Any]


class WalkRecord(EvaluationRecord):
    """What is relied on of a walk-forward, which always has a verdict."""

    verdict: VerdictRecord
    folds: list[dict[str, Any]]
    lower_in: dict[str, int]  # forecaster → folds in which the fine-tuned model's CRPS is lower


E = TypeVar("E", bound=EvaluationRecord)


def read_evaluation(path: Path, kind: type[E] = EvaluationRecord) -> E:  # type: ignore[assignment]
    """The evaluation at `path`. Raises DataError that names the file, what is wrong, and the command that makes it anew."""
    return read_record(path, kind, DataError, "kronosforge evaluate --config MODEL --force")
