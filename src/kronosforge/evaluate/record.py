"""evaluation.json, read back: of a model, or of a walk-forward."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kronosforge.core.errors import DataError
from kronosforge.core.records import Record, read_record


class EvaluationRecord(Record):
    """What is relied on of an evaluation; the file holds more."""

    layout: Annotated[int, Field(alias="schema")]
    name: str
    fingerprint: str  # of everything that the figures depend on
    verdict: dict[str, Any] | None  # None where only some of the models were evaluated
    horizon: int
    origins: dict[str, Any]
    models: dict[str, dict[str, Any]]
    differences: dict[str, dict[str, Any]]
    notes: list[dict[str, str]]
    provenance: dict[str, Any]


def read_evaluation(path: Path) -> EvaluationRecord:
    """The evaluation at `path`. Raises DataError that names the file, what is wrong, and the command that makes it anew."""
    return read_record(path, EvaluationRecord, DataError, "kronosforge evaluate --config MODEL --force")
