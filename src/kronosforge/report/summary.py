"""`data_summary.json`: the guide's keys with the guide's meaning, and all that it takes to trust the dataset.

Between two runs with equal inputs only `created_at` and `modified` differ.
"""

import platform
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kronosforge.config import ModelConfig
from kronosforge.core.files import fingerprint, sha256, sync_file

PACKAGES = ("kronosforge", "polars", "numpy", "pyarrow", "ccxt")


def summarise(
    config: ModelConfig,
    *,
    schema: int,
    folder: str,
    source: Mapping[str, Any],
    cuts: Mapping[str, str],
    series: Mapping[str, Any],
    windows: Mapping[str, int],
    warnings: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """Everything but the files: add those with `seal`."""
    return {
        "model_name": config.model_name,
        "timeframes": config.timeframes,
        "records_per_timeframe": config.records_per_timeframe,
        "output_directory": folder,
        "created_at": _time(datetime.now(UTC)),
        "files": [],
        "schema": schema,
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
        "config": public(config),
    }


def seal(summary: Mapping[str, Any], staging: Path, digests: Mapping[str, str] | None = None) -> dict[str, Any]:
    """`summary` with the facts of every file in `staging` that it does not know yet, and the fingerprint of the data.

    `digests`: SHA-256 by name where it is known; other files are read for it. The fingerprint covers the
    candles, the cuts and the windows: equal fingerprints are equal training data.
    """
    known = {file["filename"] for file in summary["files"]}
    paths = [
        path for path in staging.rglob("*") if path.is_file() and path.relative_to(staging).as_posix() not in known
    ]
    with ThreadPoolExecutor() as threads:  # hashlib works without the interpreter's lock
        new = threads.map(lambda path: _file(path, staging, digests or {}), paths)
        files = sorted([*summary["files"], *new], key=lambda file: str(file["filename"]))
    data = {file["filename"]: file["sha256"] for file in files if file["filename"] != "report.html"}
    identity = {key: summary[key] for key in ("schema", "model_name", "window", "cuts", "windows")}
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


def public(config: ModelConfig) -> dict[str, Any]:
    """What the dataset depends on, as JSON, without what may hold a secret: user and password of an address."""
    values = config.model_dump(mode="json", exclude={"train", "forecast", "evaluate"})
    for key in ("url", "proxy"):
        if values["source"][key]:
            values["source"][key] = re.sub(r"//[^/@]*@", "//***@", values["source"][key])
    return values
