"""Synthetic candles for the clean tests: a random walk without faults, and ways to break it."""

import numpy as np
import polars as pl

from kronosforge.clean import Cleaned, clean
from kronosforge.config import CleanConfig
from kronosforge.core.bars import Span, instant, series
from kronosforge.core.candles import PRICES, SCHEMA

HOURLY = series("MADE-UP_1H")
START = instant("2024-01-01")
LENGTH = HOURLY.bar.length
LENIENT = {"max_bad_share": 0.99}


def walk(n=200, seed=0, provenance="exchange") -> pl.DataFrame:
    """`n` sound hourly candles of a market that never closes: each opens where the one before closed."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, n)))
    opened = np.append(100.0, close[:-1])
    high, low = np.maximum(opened, close) * 1.003, np.minimum(opened, close) * 0.997
    vol = random.lognormal(3, 0.5, n)
    return pl.DataFrame(
        {
            "ts": START + np.arange(n) * LENGTH,
            "open": opened,
            "high": high,
            "low": low,
            "close": close,
            "vol": vol,
            "amt": vol * (opened + high + low + close) / 4,
        }
    ).with_columns(provenance=pl.lit(provenance, SCHEMA["provenance"]))


def spoil(frame, row, **values) -> pl.DataFrame:
    """`frame` with other values in one row."""
    return frame.with_columns(
        pl.when(pl.int_range(pl.len()) == row).then(pl.lit(value, SCHEMA[name])).otherwise(name).alias(name)
        for name, value in values.items()
    )


def flat(frame, first, stop) -> pl.DataFrame:
    """`frame` with no trade in the rows first … stop - 1; prices go on from there as if nothing had happened."""
    inside = pl.int_range(pl.len()).is_between(first, stop - 1)
    still = frame["close"][first - 1] or 100.0
    scale = still / (frame["close"][stop - 1] or 100.0)
    after = pl.int_range(pl.len()) >= stop
    return frame.with_columns(
        *(pl.when(inside).then(still).when(after).then(pl.col(p) * scale).otherwise(p).alias(p) for p in PRICES),
        vol=pl.when(inside).then(0.0).otherwise("vol"),
        amt=pl.when(inside).then(0.0).when(after).then(pl.col("amt") * scale).otherwise("amt"),
    )


def without(frame, *rows) -> pl.DataFrame:
    return frame.with_row_index().filter(~pl.col("index").is_in(rows)).drop("index")


def whole(frame) -> Span:
    ts = frame["ts"].drop_nulls()
    return Span(ts.min(), ts.max() + LENGTH)


def run(frame, key=HOURLY, span=None, **settings) -> Cleaned:
    return clean(frame, key, span or whole(frame), CleanConfig(**settings))


def counts(cleaned) -> dict[str, int]:
    return {finding.kind: finding.count for finding in cleaned.findings}
