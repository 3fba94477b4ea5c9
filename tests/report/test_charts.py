"""Aggregation says what the bars say."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.core.bars import Span, series
from kronosforge.core.candles import FEATURES, SCHEMA, empty
from kronosforge.report import aggregate
from kronosforge.report.charts import MOST_GAPS, payload

HOURLY = series("BTC-USDT-SWAP_1H")
HOUR = HOURLY.bar.length

# Bars of a series with gaps: the number of the hour, and a whole-numbered candle, so that sums have one right answer.
bars = st.dictionaries(
    st.integers(0, 3000), st.tuples(*[st.integers(1, 10**6)] * 6), min_size=1, max_size=120
).map(lambda bars_by_hour: sorted(bars_by_hour.items()))  # fmt: skip


def frame(rows: list[tuple[int, tuple[int, ...]]]) -> pl.DataFrame:
    values = [[hour * HOUR, *candle, "exchange"] for hour, candle in rows]
    return pl.DataFrame(values, schema=["ts", *FEATURES, "provenance"], orient="row").cast(SCHEMA)


@given(bars, st.integers(1, 50))
def test_each_candle_says_what_its_bars_say(rows: list[tuple[int, tuple[int, ...]]], target: int) -> None:
    chart = aggregate(HOURLY, frame(rows), target=target)
    slot = HOUR * chart.bars_per_candle
    taken = 0
    for i, start in enumerate(chart.ts.tolist()):
        inside = [candle for hour, candle in rows if start <= hour * HOUR < start + slot]
        taken += len(inside)
        opens, highs, lows, closes, vol, amt = zip(*inside, strict=True)
        assert chart.open[i] == opens[0]
        assert chart.high[i] == max(highs)
        assert chart.low[i] == min(lows)
        assert chart.close[i] == closes[-1]
        assert chart.vol[i] == sum(vol)
        assert chart.amt[i] == sum(amt)
    assert taken == len(rows)


@given(bars, st.integers(1, 50))
def test_no_more_candles_than_asked_for(rows: list[tuple[int, tuple[int, ...]]], target: int) -> None:
    assert 1 <= len(aggregate(HOURLY, frame(rows), target=target).ts) <= target


def test_few_bars_stay_as_they_are() -> None:
    chart = aggregate(HOURLY, frame([(hour, (1, 2, 3, 4, 5, 6)) for hour in range(400)]))
    assert (chart.bars_per_candle, len(chart.ts)) == (1, 400)


def test_a_hole_has_no_candles() -> None:
    gap = Span(100 * HOUR, 900 * HOUR)
    hours = [*range(100), *range(900, 1000)]
    chart = aggregate(HOURLY, frame([(hour, (1, 2, 3, 4, 5, 6)) for hour in hours]), [gap], target=100)
    assert not any(gap.start < start < gap.stop for start in chart.ts.tolist())


def test_real_volume_is_kept(shared: object, charts: list) -> None:
    for chart in charts:
        assert math.isclose(math.fsum(chart.vol), float(np.sum(payload(chart)["vol"])), rel_tol=1e-8)
        assert len(chart.ts) <= 400


def test_nothing_to_draw() -> None:
    assert payload(aggregate(HOURLY, empty()))["ts"] == []


@pytest.mark.parametrize("count", [0, MOST_GAPS, MOST_GAPS + 1])
def test_the_longest_gaps_are_drawn(count: int) -> None:
    gaps = [Span(i * 10**9, i * 10**9 + (i + 1) * HOUR) for i in range(count)]
    drawn = payload(aggregate(HOURLY, empty(), gaps))["gaps"]
    assert drawn == [list(gap) for gap in gaps[-MOST_GAPS:]]
