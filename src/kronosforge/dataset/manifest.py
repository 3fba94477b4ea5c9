"""data_summary.json, the manifest of a dataset, read back: who made it, of what, and what it holds."""

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kronosforge.core.errors import DataError
from kronosforge.core.files import sha256
from kronosforge.core.i18n import _
from kronosforge.core.records import Record, read_record
from kronosforge.workspace.paths import MANIFEST, NATIVE, REPORT


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


def refuse_damaged(folder: Path, manifest: Manifest, model: str) -> None:
    """Raise DataError where a file that training and evaluation read is not the one that the manifest records."""
    if problem := damage(folder, manifest, f"{NATIVE}/"):
        raise DataError(
            _(
                "{folder} is damaged: {problem}; make it anew with: python prepare_kronos_data_simple.py --config {model} "
                "--force",
                folder=folder,
                problem=problem,
                model=model,
            )
        )


def damage(folder: Path, manifest: Manifest, below: str = "") -> str:
    """What is wrong with the first file below `below` whose content is not the recorded one; empty where all are whole.

    The report is left out: nothing reads it. A file is hashed once per process, and again where its size or time changes.
    """
    for file in manifest.files:
        if file.filename.startswith(below) and file.filename != REPORT and (problem := _problem(folder, file)):
            return problem
    return ""


def _problem(folder: Path, file: FileRecord) -> str:
    path = folder / file.filename
    try:
        status = path.stat()
        if status.st_size != file.bytes:
            return _(
                "{file} has {size:,} bytes instead of {recorded:,}",
                file=file.filename,
                size=status.st_size,
                recorded=file.bytes,
            )
        if _digest(path, status.st_size, status.st_mtime_ns) != file.sha256:
            return _("{file} has another content than the one recorded", file=file.filename)
    except OSError as error:
        return _("{file} cannot be read ({reason})", file=file.filename, reason=os.strerror(error.errno or 0))
    return ""


@cache
def _digest(path: Path, size: int, modified: int) -> str:
    return sha256(path)
