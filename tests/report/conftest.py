"""A summary as the pipeline leaves it, over real candles."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kronosforge.core.bars import Span, iso, series
from kronosforge.core.candles import SCHEMA
from kronosforge.report import SeriesChart, aggregate
from tests.browser import Chromium, chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all pages."""
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


# With a day taken out, so that there is a gap to show.
GAP = Span(1_720_051_200_000, 1_720_137_600_000)


def okx(path: Path) -> pl.DataFrame:
    """OKX's nine columns as `candles.SCHEMA`, confirmed bars only, each once."""
    return (
        pl.read_csv(path)
        .filter(pl.col("confirm") == 1)
        .select(
            "ts", "open", "high", "low", "close",
            vol=pl.col("volCcy").cast(pl.Float64), amt=pl.col("volCcyQuote").cast(pl.Float64), provenance=pl.lit("exchange"),
        )
        .cast(SCHEMA)
        .sort("ts")
    )  # fmt: skip


@pytest.fixture(scope="session")
def charts(shared: Path) -> list[SeriesChart]:
    """BTC-USDT-SWAP at 4H with a gap, at 1D, and the short inverse swap."""
    charts_read = []
    for key, file in (
        ("BTC-USDT-SWAP_4H", "BTC-USDT-SWAP_4H.csv"),
        ("BTC-USDT-SWAP_1D", "BTC-USDT-SWAP_1Dutc.csv"),
        ("BTC-USD-SWAP_4H", "BTC-USD-SWAP_4H.csv"),
    ):
        candles = okx(shared / "data/okx" / file)
        gaps = [GAP] if file == "BTC-USDT-SWAP_4H.csv" else []
        kept = candles.filter(~pl.col("ts").is_between(GAP.start, GAP.stop, closed="left")) if gaps else candles
        charts_read.append(aggregate(series(key), kept, gaps))
    return charts_read


@pytest.fixture
def summary(charts: list[SeriesChart]) -> dict[str, Any]:
    """What data_summary.json would say of `charts`; tests change their own copy."""
    return summary_of(charts)


def summary_of(charts: list[SeriesChart]) -> dict[str, Any]:
    stale = {
        "kind": "frozen",
        "count": 2,
        "action": "dropped",
        "text": {"en": "bars frozen before they were finished", "zh": "未收盘即被固定的K线"},
        "examples": ["2025-01-07T00:00Z o 102285.7 h 102823.1 l 101992 c 102571.7 v 605.2204 a 61945900"],
    }
    per_series = {chart.key: series_facts(chart, [stale] if chart.key == "BTC-USD-SWAP_4H" else []) for chart in charts}
    return {
        "model_name": "Model_A_4H",
        "timeframes": ["4H", "1D"],
        "records_per_timeframe": 5056,
        "output_directory": "/home/somebody/data/kronos_datasets/model_a_4h",
        "created_at": "2031-05-06T07:08:09Z",
        "files": [
            {"filename": f"{split}_data.pkl", "size_mb": 0.31, "modified": "2031-05-06T07:08:09Z", "sha256": digit * 64}
            for split, digit in (("train", "a"), ("val", "b"), ("test", "c"))
        ],
        "schema": 1,
        "fingerprint": "0123456789abcdef" * 4,
        "cuts": {"train_end": "2025-08-01T00:00Z", "val_end": "2025-12-10T00:00Z"},
        "window": {"lookback": 90, "predict": 10, "bars": 101},
        "series": per_series,
        "windows": {"train": 3886, "val": 716, "test": 804},
        "warnings": [
            {
                "en": "the validation split of BTC-USDT-SWAP_1D has 31 windows, fewer than 100; ask for more records",
                "zh": "BTC-USDT-SWAP_1D 的验证集只有 31 个窗口,少于 100;请增加 records",
            }
        ],
        "source": {"name": "okx", "venue": "okx", "url": "https://www.okx.com", "clock": "2026-04-18T12:34Z"},
        "versions": {"kronosforge": "0.1.0", "python": "3.13.1", "polars": "2.1.0", "pandas": "3.0.1"},
        "config": {
            "name": "model_a_4h",
            "description": "BTC and ETH swaps, four hours",
            "dataset": {"lookback": 90, "predict": 10, "clip": 5.0},
        },
    }


def series_facts(chart: SeriesChart, findings: list[dict[str, Any]]) -> dict[str, Any]:
    rows = 5050 if chart.key == "BTC-USDT-SWAP_4H" else 842 if chart.key.endswith("1D") else 70
    windows = {"train": 3270, "val": 685, "test": 675} if rows == 5050 else {"train": 616, "val": 31, "test": 129}
    return {
        "rows": rows,
        "first": iso(int(chart.ts[0])),
        "last": iso(int(chart.ts[-1]) + (chart.bars_per_candle - 1) * chart.length),
        "segments": 1 + len(chart.gaps),
        "gaps": [{"start": iso(h.start), "stop": iso(h.stop), "bars": 6, "kind": "venue"} for h in chart.gaps],
        "windows": windows if rows > 70 else {"train": 0, "val": 0, "test": 0},
        "bars_in_no_window": 0 if rows > 70 else 70,
        "findings": findings,
        "provenance": {"exchange": rows, "derived": 0, "filled": 0},
    }
