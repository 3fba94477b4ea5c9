"""Candles made few enough to draw, without changing what they say: open, high, low, close, volume and turnover exact."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from kronosforge.core.bars import Series, Span
from kronosforge.core.candles import FEATURES

Floats = npt.NDArray[np.float64]

# Gaps drawn on one chart; the longest are kept.
MOST_GAPS = 100


class SeriesChart(NamedTuple):
    """One series, ready to draw: n candles of `bars_per_candle` bars each, oldest first."""

    key: str
    length: int  # ms of one bar
    bars_per_candle: int  # slots of time: a candle beside a gap holds fewer bars
    ts: npt.NDArray[np.int64]  # (n,) start of each candle's slot, ms UTC
    open: Floats  # (n,)
    high: Floats
    low: Floats
    close: Floats
    vol: Floats  # base asset
    amt: Floats  # quote currency
    gaps: Sequence[Span]


def aggregate(series: Series, candles: pl.DataFrame, gaps: Sequence[Span] = (), target: int = 400) -> SeriesChart:
    """At most `target` candles over the whole of `candles` (`candles.SCHEMA`, ascending), on equal slots of time.

    Each candle has the first open, highest high, lowest low, last close and the sums of volume and turnover of the bars
    that open in its slot; a slot without bars has no candle, so that gaps stay visible.
    """
    length = series.bar.length
    if candles.is_empty():
        none = np.empty(0)
        return SeriesChart(str(series), length, 1, np.empty(0, np.int64), none, none, none, none, none, none, gaps)
    ts, opens, highs, lows, closes, vol, amt = (candles[name].to_numpy() for name in ("ts", *FEATURES))
    span_bars = int(ts[-1] - ts[0]) // length + 1
    bars_per_candle = -(-span_bars // target)
    slot = (ts - ts[0]) // (length * bars_per_candle)
    first = np.flatnonzero(np.diff(slot, prepend=-1))  # row of each candle's first bar
    last = np.append(first[1:], len(ts)) - 1
    return SeriesChart(
        str(series),
        length,
        bars_per_candle,
        ts[0] + slot[first] * (length * bars_per_candle),
        opens[first],
        np.maximum.reduceat(highs, first),
        np.minimum.reduceat(lows, first),
        closes[last],
        np.add.reduceat(vol, first),
        np.add.reduceat(amt, first),
        gaps,
    )


def payload(chart: SeriesChart) -> dict[str, Any]:
    """`chart` as plain JSON values for page.js: times in ms, other numbers to nine digits, the longest gaps."""
    gaps = sorted(sorted(chart.gaps, key=lambda h: h.start - h.stop)[:MOST_GAPS])
    columns = {name: rounded(getattr(chart, name)) for name in FEATURES}
    return {
        "key": chart.key,
        "slot": chart.length * chart.bars_per_candle,
        "length": chart.length,
        "ts": chart.ts.tolist(),
        **columns,
        "gaps": [list(gap) for gap in gaps],
    }


def rounded(values: Floats) -> list[float]:
    """Plain numbers of nine digits."""
    return [float(f"{value:.9g}") for value in values.tolist()]
