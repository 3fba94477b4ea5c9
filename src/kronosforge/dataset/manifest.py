"""data_summary.json, the manifest of a dataset: the guide's keys with the guide's meaning, and all that it takes to trust it.

Between two runs with equal inputs only `created_at` and `modified` differ.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kronosforge.config import DatasetConfig, ModelConfig
from kronosforge.core.addresses import without_password
from kronosforge.core.digests import fingerprint, sha256
from kronosforge.core.errors import DataError
from kronosforge.core.files import sync_file
from kronosforge.core.i18n import _
from kronosforge.core.records import Record, read_record, reason
from kronosforge.workspace.paths import MANIFEST, NATIVE, REPORT

SCHEMA = 2  # numbers the manifest's layout. 1: a series has `holes` and `origins`, which are its gaps and provenance,
# and findings of the kind `hole`
LAYOUT_OF_DATA = 1  # numbers the layout of the other files, and is part of the fingerprint
FORMER_KEYS = {"holes": "gaps", "origins": "provenance"}  # of a series
FORMER_KIND = "hole"  # of a finding, which is called gap
PACKAGES = ("kronosforge", "polars", "numpy", "pyarrow", "ccxt")


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

    @classmethod
    def current(cls, content: Any) -> Any:
        """The manifest as it is written today."""
        if not isinstance(content, dict) or content.get("schema") != 1 or not isinstance(content.get("series"), dict):
            return content
        series = {key: _with_current_keys(facts) for key, facts in content["series"].items()}
        return {**content, "schema": SCHEMA, "series": series}

    @property
    def owner(self) -> str:
        """The name of the model that the dataset was made for."""
        return str(self.config.get("name") or self.model_name)

    def belongs_to(self, config: ModelConfig) -> bool:
        """Whether the dataset was made for the model of `config`; older manifests record the display name alone."""
        return self.owner in (config.name, config.model_name)


def _with_current_keys(facts: Any) -> Any:
    if not isinstance(facts, dict):
        return facts
    renamed = {FORMER_KEYS.get(key, key): value for key, value in facts.items()}
    findings = renamed.get("findings")
    if isinstance(findings, list):
        renamed["findings"] = [_with_current_kind(finding) for finding in findings]
    return renamed


def _with_current_kind(finding: Any) -> Any:
    former = isinstance(finding, dict) and finding.get("kind") == FORMER_KIND
    return {**finding, "kind": "gap"} if former else finding


def read_manifest(folder: Path, model: str) -> Manifest:
    """The manifest of the dataset in `folder`; `model` is whose it is, for the command that recreates it.

    Raises DataError that names the file and what is wrong with it.
    """
    return read_record(folder / MANIFEST, Manifest, DataError, _prepare_again(model))


def _prepare_again(model: str) -> str:
    return f"python prepare_kronos_data_simple.py --config {model} --force"


def finished_manifest(folder: Path, config: ModelConfig) -> Manifest:
    """The manifest of the dataset in `folder` that `config` is trained and evaluated on.

    Raises DataError where no dataset is finished, where it is damaged or another model's, or where its windows are not
    those that `config` asks for.
    """
    if not (folder / MANIFEST).exists():
        raise DataError(
            _(
                "{folder} holds no finished dataset; prepare it with: python prepare_kronos_data_simple.py --config {name}",
                folder=folder,
                name=config.name,
            )
        )
    manifest = read_manifest(folder, config.name)
    if not manifest.belongs_to(config):
        raise DataError(
            _(
                "{folder} holds the dataset of {owner}, not of {name}; check dataset_path in the config of {name}",
                folder=folder,
                owner=manifest.owner,
                name=config.name,
            )
        )
    refuse_damaged(folder, manifest, config.name)
    _refuse_other_windows(folder, manifest, config)
    return manifest


def _refuse_other_windows(folder: Path, manifest: Manifest, config: ModelConfig) -> None:
    try:
        prepared = DatasetConfig.model_validate(manifest.config.get("dataset")).model_dump()
    except ValueError as error:
        raise DataError(
            _(
                "{path} cannot be used: {reason}; recreate it with: {remedy}",
                path=folder / MANIFEST,
                reason=reason(error),
                remedy=_prepare_again(config.name),
            )
        ) from None
    asked = config.dataset.model_dump()
    if different := [f"dataset.{key} {prepared[key]} → {asked[key]}" for key in asked if prepared[key] != asked[key]]:
        raise DataError(
            _(
                "{folder} was prepared with other settings ({different}); prepare it again with: {remedy}",
                folder=folder,
                different=", ".join(different),
                remedy=_prepare_again(config.name),
            )
        )


def refuse_damaged(folder: Path, manifest: Manifest, model: str) -> None:
    """Raise DataError where a file that training and evaluation read is not the one that the manifest records."""
    if problem := damage(folder, manifest, f"{NATIVE}/"):
        raise DataError(
            _(
                "{folder} is damaged: {problem}; recreate it with: python prepare_kronos_data_simple.py --config "
                "{model} --force",
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
            return _("{file} does not have the recorded content", file=file.filename)
    except OSError as error:
        return _("{file} cannot be read ({reason})", file=file.filename, reason=os.strerror(error.errno or 0))
    return ""


@cache
def _digest(path: Path, size: int, modified: int) -> str:
    return sha256(path)


def summarise(
    config: ModelConfig,
    *,
    folder: str,
    source: Mapping[str, Any],
    cuts: Mapping[str, str],
    series: Mapping[str, Any],
    windows: Mapping[str, int],
    warnings: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """The manifest of a new dataset as JSON, without its files: `seal` adds them."""
    return {
        "model_name": config.model_name,
        "timeframes": config.timeframes,
        "records_per_timeframe": config.records_per_timeframe,
        "output_directory": folder,
        "created_at": _time(datetime.now(UTC)),
        "files": [],
        "schema": SCHEMA,
        "fingerprint": "",
        "window": {
            "lookback": config.dataset.lookback,
            "predict": config.dataset.predict,
            "bars": config.dataset.window,
        },
        "cuts": dict(cuts),
        "windows": dict(windows),
        "warnings": list(warnings),
        "series": dict(series),
        "source": dict(source),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "config": recorded_settings(config),
    }


def seal(summary: Mapping[str, Any], staging: Path, digests: Mapping[str, str] | None = None) -> dict[str, Any]:
    """`summary` with every file in `staging` that it does not record yet, and the fingerprint of the dataset.

    `digests`: SHA-256 by name where it is known; other files are read for it. The fingerprint covers the
    candles, the cuts and the windows: equal fingerprints are equal training data.
    """
    recorded = {file["filename"] for file in summary["files"]}
    paths = [
        path for path in staging.rglob("*") if path.is_file() and path.relative_to(staging).as_posix() not in recorded
    ]
    with ThreadPoolExecutor() as threads:  # hashlib works without the interpreter's lock
        new = threads.map(lambda path: _file(path, staging, digests or {}), paths)
        files = sorted([*summary["files"], *new], key=lambda file: str(file["filename"]))
    data = {file["filename"]: file["sha256"] for file in files if file["filename"] != REPORT}
    identity = {key: summary[key] for key in ("model_name", "window", "cuts", "windows")} | {"schema": LAYOUT_OF_DATA}
    return {**summary, "files": files, "fingerprint": fingerprint({**identity, "files": data})}


def _file(path: Path, folder: Path, digests: Mapping[str, str]) -> dict[str, Any]:
    sync_file(path)  # it must be durable before long, and one file can go to disk while another is hashed
    status = path.stat()
    name = path.relative_to(folder).as_posix()
    return {
        "filename": name,
        "size_mb": round(status.st_size / 1e6, 2),
        "modified": _time(datetime.fromtimestamp(status.st_mtime, UTC)),
        "bytes": status.st_size,
        "sha256": digests.get(name) or sha256(path),
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def recorded_settings(config: ModelConfig) -> dict[str, Any]:
    """What the dataset depends on, as JSON, without what may hold a secret: user and password of an address."""
    values = config.model_dump(mode="json", exclude={"train", "forecast", "evaluate"})
    for key in ("url", "proxy"):
        if values["source"][key]:
            values["source"][key] = without_password(values["source"][key])
    return values
