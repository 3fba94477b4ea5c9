"""data_summary.json, the manifest of a dataset, read back: who made it, of what, and what it holds."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kronosforge.core.errors import DataError
from kronosforge.core.records import Record, read_record
from kronosforge.workspace.paths import MANIFEST


class FileRecord(Record):
    """One file of the dataset."""

    filename: str  # relative to the dataset's folder
    bytes: int
    sha256: str


class Manifest(Record):
    """What every stage after `prepare` relies on; the file holds more."""

    layout: Annotated[int, Field(alias="schema")]  # numbers the manifest's layout
    model_name: str
    created_at: str
    fingerprint: str  # of the candles, the cuts and the windows
    window: dict[str, int]
    windows: dict[str, int]  # split → windows
    warnings: list[dict[str, str]]
    files: list[FileRecord]
    series: dict[str, dict[str, Any]]
    source: dict[str, Any]
    config: dict[str, Any]  # the sections that the dataset depends on


def read_manifest(folder: Path, model: str) -> Manifest:
    """The manifest of the dataset in `folder`; `model` is whose it is, for the command that makes it anew.

    Raises DataError that names the file and what is wrong with it.
    """
    remedy = f"python prepare_kronos_data_simple.py --config {model} --force"
    return read_record(folder / MANIFEST, Manifest, DataError, remedy)
