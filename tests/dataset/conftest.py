"""Small datasets of synthetic but valid candles, which tests may damage."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from kronosforge.core.bars import iso, series
from kronosforge.core.candles import FEATURES, SCHEMA
from kronosforge.dataset import DatasetWriter
from kronosforge.split import Cuts, total
from kronosforge.workspace.paths import DATASET_FILES

START = 1_699_488_000_000  # 2023-11-09T00:00Z, a multiple of every bar up to a day


def valid_candles(key: str, segments: list[int], start: int = START, seed: int = 0) -> pl.DataFrame:
    """Candles of the series `key` in `segments` of so many bars, two bars apart; SCHEMA and `segment`."""
    rng, length, bars = np.random.default_rng(seed), series(key).bar.length, sum(segments)
    number = np.repeat(np.arange(len(segments)), segments)
    body = rng.uniform(90, 110, (2, bars))
    columns = {
        "ts": start + (np.arange(bars) + 2 * number) * length,
        "open": body[0],
        "high": body.max(axis=0) + rng.random(bars),
        "low": body.min(axis=0) - rng.random(bars),
        "close": body[1],
        "vol": rng.random(bars),
        "amt": rng.random(bars) * 100,
        "provenance": ["exchange"] * bars,
        "segment": number.astype(np.uint32) + 1,
    }
    return pl.DataFrame(columns, schema={**SCHEMA, "segment": pl.UInt32()})


class Prepared(NamedTuple):
    """A whole dataset in `folder`, and how to bring its summary's hashes up to date after tampering."""

    folder: Path
    cuts: Cuts
    window: int

    def summary(self) -> dict:
        return json.loads((self.folder / "data_summary.json").read_text())

    def write_summary(self, summary: dict) -> None:
        (self.folder / "data_summary.json").write_text(json.dumps(summary))

    def rehash(self) -> None:
        """Make the summary agree with the files as they are."""
        self.write_summary({**self.summary(), "files": listed(self.folder)})


def listed(folder: Path) -> list[dict]:
    """The summary's `files`."""
    tops = [folder / name for name in DATASET_FILES]
    paths = sorted(p for top in tops for p in (top, *top.rglob("*")) if p.is_file())
    return [
        {"filename": p.relative_to(folder).as_posix(), "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
        for p in paths
    ]


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """Two series of hourly candles, the first in two segments, with windows of 12 bars in every split."""
    folder, window = tmp_path / "dataset", 12
    folder.mkdir()
    model = {"BTC_1H": valid_candles("BTC_1H", [150, 130]), "ETH_1H": valid_candles("ETH_1H", [280], seed=1)}
    hour = series("BTC_1H").bar.length
    cuts = Cuts(START + 196 * hour, START + 238 * hour)
    with DatasetWriter(folder, cuts, window) as writer:
        written = [writer.add(series(key), candles) for key, candles in model.items()]
        writer.finish()
    (folder / "report.html").write_text("<p>report</p>")
    dataset = Prepared(folder, cuts, window)
    dataset.write_summary(
        {
            "schema": 1,
            "output_directory": "dataset",
            "files": listed(folder),
            "cuts": {"train_end": iso(cuts.train_end), "val_end": iso(cuts.val_end)},
            "window": {"lookback": 8, "predict": 3, "bars": window},
            "windows": total(series_.windows for series_ in written),
            "series": {series_.series: {"windows": series_.windows} for series_ in written},
            "config": {"dataset": {"clip": 5.0}, "clean": {"calendar": "24/7"}},
        }
    )
    return dataset


@pytest.fixture(scope="session")
def candles() -> Callable[..., pl.DataFrame]:
    """`candles(key, segments)`: valid candles in segments."""
    return valid_candles


@pytest.fixture(scope="session")
def columns() -> Callable[[pl.DataFrame], list[np.ndarray]]:
    """The six feature columns of a frame as numpy arrays."""
    return lambda frame: [frame[name].to_numpy() for name in FEATURES]
