"""Each fault of candles alone: it is detected, counted and repaired."""

import math

import numpy as np
import polars as pl
import pytest

from kronosforge.core.bars import Span, series
from kronosforge.core.candles import SCHEMA
from kronosforge.core.errors import DataError
from tests.clean.clean_frames import HOURLY, LENGTH, LENIENT, START, counts, flat, run, spoil, walk, without


def test_sound_candles_pass_untouched():
    frame = walk()
    cleaned = run(frame)
    assert cleaned.candles.drop("segment").equals(frame)
    assert cleaned.candles.schema == {**SCHEMA, "segment": pl.UInt32}
    assert cleaned.candles["segment"].unique().to_list() == [1]
    assert (cleaned.gaps, cleaned.findings) == ([], [])


def test_rows_without_time_are_dropped():
    cleaned = run(pl.concat([walk(), spoil(walk(1), 0, ts=None)]))
    assert counts(cleaned) == {"no_time": 1}


def test_unfinished_bars_are_dropped():
    frame = walk().with_columns(confirm=pl.int_range(pl.len()) < 198)
    cleaned = run(frame)
    assert counts(cleaned) == {"unfinished": 2, "ends_early": 2}
    assert len(cleaned.candles) == 198


def test_a_finished_bar_wins_over_an_unfinished_copy_of_it():
    frame = walk().with_columns(confirm=pl.lit(value=True))
    older = spoil(frame, 199, close=frame["open"][199]).tail(1).with_columns(confirm=pl.lit(value=False))
    cleaned = run(pl.concat([frame, older]))
    assert counts(cleaned) == {"unfinished": 1}
    assert cleaned.candles["close"][-1] == frame["close"][-1]


def test_candles_outside_the_span_are_dropped():
    frame = walk()
    cleaned = run(frame, span=Span(START + 10 * LENGTH, START + 50 * LENGTH))
    assert counts(cleaned) == {"outside": 160}
    assert cleaned.candles["ts"][0] == START + 10 * LENGTH


def test_newest_first_is_sorted():
    frame = walk()
    cleaned = run(frame.reverse())
    assert counts(cleaned) == {"order": 199}
    assert cleaned.candles.drop("segment").equals(frame)


def test_identical_copies_are_dropped():
    frame = walk()
    cleaned = run(pl.concat([frame[:100], frame[99:]]))
    assert counts(cleaned) == {"duplicate": 1}
    assert cleaned.candles.drop("segment").equals(frame)


def test_of_two_that_contradict_the_later_wins():
    frame = walk()
    older = spoil(frame, 50, close=frame["open"][50])
    cleaned = run(pl.concat([older[:51], frame[50:]]))
    assert counts(cleaned) == {"conflict": 1}
    assert cleaned.candles.drop("segment").equals(frame)


def test_of_two_that_contradict_one_that_jumps_away_loses_even_when_it_is_later():
    frame = walk()
    foreign = frame[50:51].with_columns(pl.col("open", "high", "low", "close") * 16)
    cleaned = run(pl.concat([frame[:51], foreign, frame[51:]]))
    assert counts(cleaned) == {"conflict": 1}
    assert cleaned.candles.drop("segment").equals(frame)


def test_bars_off_the_grid_are_dropped():
    cleaned = run(spoil(walk(), 30, ts=START + 30 * LENGTH + 60_000))
    assert counts(cleaned) == {"off_grid": 1, "gap": 1}
    assert cleaned.gaps[0].kind == "venue"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("not_finite", {"open": math.nan}),
        ("not_finite", {"high": math.inf}),
        ("not_finite", {"vol": math.inf}),
        ("not_finite", {"amt": None}),
        ("not_positive", {"low": 0.0}),
        ("not_positive", {"open": -1.0, "low": -2.0}),
        ("range", {"high": 1e-3, "low": 1e-3}),
        ("range", {"low": 1e6, "high": 1e6}),
        ("negative", {"vol": -1.0}),
        ("negative", {"amt": -1.0}),
    ],
)
def test_an_impossible_bar_is_dropped_and_leaves_a_gap(kind, values):
    cleaned = run(spoil(walk(), 70, **values))
    assert counts(cleaned) == {kind: 1, "gap": 1}
    assert [(gap.span.start, gap.bars, gap.kind) for gap in cleaned.gaps] == [(START + 70 * LENGTH, 1, "removed")]


def test_float_noise_in_the_range_is_no_fault():
    frame = walk()
    top = max(frame["open"][5], frame["close"][5])
    assert counts(run(spoil(frame, 5, high=top * (1 - 1e-12)))) == {}


def test_bars_without_trade_are_kept_up_to_the_limit():
    assert counts(run(flat(walk(), 50, 98))) == {"quiet": 48}


def test_more_bars_without_trade_are_dropped():
    cleaned = run(flat(walk(), 50, 99))
    assert counts(cleaned) == {"dead": 49, "gap": 49}
    assert [gap.kind for gap in cleaned.gaps] == ["dead"]


def test_a_gap_ends_a_segment_without_trade():
    assert counts(run(without(flat(walk(), 50, 99), 70))) == {"gap": 1, "quiet": 48}


def test_a_price_that_moves_without_volume_is_kept_and_counted():
    assert counts(run(spoil(walk(), 60, vol=0.0, amt=0.0))) == {"silent": 1}


def test_the_series_is_cut_at_a_jump_and_both_sides_are_kept():
    frame = walk().with_columns(
        pl.when(pl.int_range(pl.len()) >= 80).then(pl.col(c) / 2).otherwise(c).alias(c)
        for c in ("open", "high", "low", "close", "amt")
    )
    cleaned = run(frame)
    assert counts(cleaned) == {"jump": 1}
    assert cleaned.candles["segment"].to_list() == [1] * 80 + [2] * 120


def test_an_extreme_bar_is_kept_and_counted():
    frame = walk()
    assert counts(run(spoil(frame, 60, high=frame["high"][60] * 2))) == {"extreme": 1}


def test_turnover_that_does_not_fit_is_derived():
    frame = walk()
    cleaned = run(spoil(frame, 60, amt=0.0))
    assert counts(cleaned) == {"turnover": 1}
    assert cleaned.candles["provenance"][60] == "derived"
    assert cleaned.candles["amt"][60] == pytest.approx(frame["amt"][60])


def test_rounded_turnover_is_no_fault():
    frame = walk()
    assert counts(run(spoil(frame, 60, amt=frame["vol"][60] * frame["high"][60] * 1.0015))) == {}


def test_derived_turnover_is_not_judged():
    assert counts(run(spoil(walk(provenance="derived"), 60, amt=0.0))) == {}


def test_where_volume_changes_to_lots_the_series_is_cut():
    frame = walk().with_columns(vol=pl.when(pl.int_range(pl.len()) >= 120).then(pl.col("vol") / 100).otherwise("vol"))
    cleaned = run(frame)
    assert counts(cleaned) == {"unit": 1}
    assert cleaned.candles["segment"].to_list() == [1] * 120 + [2] * 80


def test_a_series_in_lots_is_refused_with_the_factor():
    lots = walk().with_columns(pl.col("vol") / 100)
    with pytest.raises(DataError, match=r"100 × the price on 200 of 200 .* set clean.volume_unit = 100"):
        run(lots)


def test_a_series_whose_turnover_is_zero_throughout_is_refused_for_its_columns():
    with pytest.raises(DataError, match=r"200 of 200 candles are broken.*check which column holds which value"):
        run(walk().with_columns(amt=pl.lit(0.0)))


def test_volume_unit_mends_a_series_in_lots():
    frame = walk()
    cleaned = run(frame.with_columns(pl.col("vol") / 100), volume_unit=100)
    assert cleaned.findings == []
    assert np.allclose(cleaned.candles["vol"], frame["vol"])


def test_volume_unit_scales_turnover_that_was_derived():
    frame = walk(provenance="derived")
    cleaned = run(frame, volume_unit=0.01)
    assert np.allclose(cleaned.candles["amt"], frame["amt"] / 100)


@pytest.mark.parametrize(("factor", "expected"), [(100, {"unit": 1}), (0.001, {"unit": 1}), (8, {})])
def test_without_turnover_a_hundredfold_step_of_volume_is_a_unit_and_a_market_that_wakes_is_not(factor, expected):
    late = pl.int_range(pl.len()) >= 130
    frame = walk(provenance="derived").with_columns(pl.when(late).then(pl.col("vol") * factor).otherwise("vol"))
    cleaned = run(frame)
    assert counts(cleaned) == expected
    assert cleaned.candles["segment"].to_list() == [1] * 130 + [1 + len(expected)] * 70


def frozen(frame, row):
    """The bar as it stood a while before its close."""
    opened = frame["open"][row]
    return spoil(
        frame, row, close=opened * 1.001, high=opened * 1.002, low=opened * 0.999, vol=frame["vol"][row] * 0.2,
        amt=frame["vol"][row] * 0.2 * opened,
    )  # fmt: skip


def test_a_bar_saved_before_it_closed_is_dropped():
    frame = walk(400)
    row = int(np.argmax(np.abs(np.diff(np.log(frame["close"].to_numpy()))))) + 1
    cleaned = run(frozen(frame, row))
    assert counts(cleaned) == {"frozen": 1, "gap": 1}
    assert cleaned.gaps[0].span.start == START + row * LENGTH


def test_frozen_bars_are_kept_on_request():
    frame = walk(400)
    row = int(np.argmax(np.abs(np.diff(np.log(frame["close"].to_numpy()))))) + 1
    assert counts(run(frozen(frame, row), frozen="keep")) == {}


def test_a_market_that_opens_anywhere_has_no_frozen_bars():
    random = np.random.default_rng(1)
    frame = walk(400)
    noisy = frame.with_columns(open=pl.col("open") * np.exp(random.normal(0, 0.002, 400)))
    noisy = noisy.with_columns(high=pl.max_horizontal("open", "high"), low=pl.min_horizontal("open", "low"))
    assert counts(run(frozen(noisy, 100))) == {}


def test_a_few_ticks_between_close_and_open_are_nothing_where_trades_are_rare():
    tick = 0.01
    random = np.random.default_rng(2)
    close = np.round(1 + 0.05 * np.sin(np.arange(640) / 50), 2)
    opened = np.append(close[0], close[:-1]) + tick * (random.random(640) < 0.1) * random.integers(-3, 4, 640)
    frame = walk(640).with_columns(open=opened, close=close)
    frame = frame.with_columns(high=pl.max_horizontal("open", "close"), low=pl.min_horizontal("open", "close"))
    frame = frame.with_columns(amt=pl.col("vol") * pl.mean_horizontal("high", "low"))
    assert "frozen" not in counts(run(frame))


def test_a_block_that_occurs_twice_is_dropped_in_both_places():
    frame = walk(provenance="derived")
    block = frame[40:44].drop("ts")
    again = pl.concat([frame[100:104].select("ts"), block], how="horizontal")
    cleaned = run(pl.concat([frame[:100], again, frame[104:]]), frozen="keep", max_bad_share=0.1)
    assert counts(cleaned)["repeated"] == 8
    assert [gap.span.start for gap in cleaned.gaps] == [START + 40 * LENGTH, START + 100 * LENGTH]


def test_two_equal_bars_are_chance():
    frame = walk(provenance="derived")
    again = pl.concat([frame[100:102].select("ts"), frame[40:42].drop("ts")], how="horizontal")
    assert "repeated" not in counts(run(pl.concat([frame[:100], again, frame[102:]]), frozen="keep"))


def test_gaps_split_the_series():
    cleaned = run(without(walk(), 50, 51, 90))
    assert counts(cleaned) == {"gap": 3}
    assert cleaned.gaps == [
        (Span(START + 50 * LENGTH, START + 52 * LENGTH), 2, "venue"),
        (Span(START + 90 * LENGTH, START + 91 * LENGTH), 1, "venue"),
    ]
    assert cleaned.candles["segment"].to_list() == [1] * 50 + [2] * 38 + [3] * 109


def test_short_gaps_are_filled_flat_and_longer_ones_split_the_series():
    frame = walk()
    cleaned = run(without(frame, 50, 51, 90, 91, 92, 93), gaps="fill", max_fill=3)
    assert counts(cleaned) == {"filled": 2, "gap": 4}
    filled = cleaned.candles.filter(pl.col("provenance") == "filled")
    close = frame["close"][49]
    assert filled.drop("ts", "provenance", "segment").rows() == [(close, close, close, close, 0.0, 0.0)] * 2
    assert filled["ts"].to_list() == [START + 50 * LENGTH, START + 51 * LENGTH]
    assert cleaned.candles["segment"].to_list() == [1] * 90 + [2] * 106


def test_a_dead_period_is_not_filled_again():
    assert counts(run(flat(walk(), 50, 60), gaps="fill", max_fill=100, max_flat_run=5)) == {"dead": 10, "gap": 10}


def test_the_series_is_split_at_a_jump_across_a_filled_gap():
    frame = without(walk(), 80).with_columns(
        pl.when(pl.int_range(pl.len()) >= 80).then(pl.col(c) / 2).otherwise(c).alias(c)
        for c in ("open", "high", "low", "close", "amt")
    )
    cleaned = run(frame, gaps="fill")
    assert counts(cleaned) == {"filled": 1, "jump": 1}
    assert cleaned.candles["segment"].to_list() == [1] * 81 + [2] * 119


def test_gaps_can_be_forbidden():
    with pytest.raises(DataError, match=r"1 gap\(s\), the first at 2024-01-03T02:00Z .* set clean.gaps"):
        run(without(walk(), 50), gaps="fail")


def test_bars_missing_at_the_ends_are_counted_and_are_no_gaps():
    frame = walk()
    cleaned = run(frame[5:190], span=Span(START, START + 200 * LENGTH))
    assert counts(cleaned) == {"starts_late": 5, "ends_early": 10}
    assert cleaned.gaps == []


def test_too_many_broken_bars_are_refused_with_kinds_examples_and_advice():
    bad = walk().with_columns(ts=pl.col("ts") + 60_000)
    with pytest.raises(
        DataError, match=r"200 of 200 candles are broken.*on the bar's grid × 200.*2024-01-01T00:01Z.*1D@UTC\+8"
    ):
        run(bad)


def test_the_share_of_broken_bars_is_a_setting():
    bad = walk().with_columns(open=pl.when(pl.int_range(pl.len()) < 10).then(math.nan).otherwise("open"))
    assert counts(run(bad, max_bad_share=0.05)) == {"not_finite": 10, "starts_late": 10}
    with pytest.raises(DataError, match="10 of 200"):
        run(bad, max_bad_share=0.049)


def test_nothing_left_is_an_error():
    with pytest.raises(DataError, match="none of 10 candles is left"):
        run(walk(10).with_columns(confirm=pl.lit(value=False)))
    with pytest.raises(DataError, match="none of 0 candles is left"):
        run(walk(1).clear(), span=Span(START, START + LENGTH))


def test_a_single_candle_is_a_series():
    assert len(run(walk(1)).candles) == 1


def test_sessions_make_friday_and_monday_neighbours():
    days = [f"2024-01-{day:02}" for day in (4, 5, 8, 9)]
    ts = [int(np.datetime64(day, "ms").astype(int)) for day in days]
    cleaned = run(walk(4).with_columns(ts=pl.Series(ts)), series("600519_1D"), calendar="XSHG")
    assert cleaned.findings == []


def test_a_bar_on_a_closed_day_is_dropped():
    saturday = int(np.datetime64("2024-01-06", "ms").astype(int))
    frame = walk(3).with_columns(ts=pl.Series([saturday - 86_400_000, saturday, saturday + 2 * 86_400_000]))
    cleaned = run(frame, series("600519_1D"), calendar="XSHG", **LENIENT)
    assert counts(cleaned)["off_calendar"] == 1
    assert cleaned.candles["segment"].to_list() == [1, 1]


def test_every_finding_of_a_very_bad_series_is_counted_once():
    frame = spoil(spoil(walk(), 20, high=math.nan, vol=-1.0), 30, open=0.0, low=-1.0)
    cleaned = run(frame, HOURLY)
    assert counts(cleaned) == {"not_finite": 1, "not_positive": 1, "gap": 2}
