"""Cuts: one pair of instants for all series, at which no bar is open."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.config import SplitConfig
from kronosforge.core.bars import DAY, HOUR, LENGTHS, MINUTE, Span, bar, instant, iso, series
from kronosforge.core.errors import DataError
from kronosforge.split import SPLITS, Cuts, Timeline, cuts

SETTINGS = SplitConfig()
END = instant("2026-01-05T00:00Z")


def opens(key, bars, end=END):
    """The newest `bars` open times of a series, and the series."""
    opened = series(key)
    stop = opened.bar.floor(end)
    return opened, np.arange(stop - bars * opened.bar.length, stop, opened.bar.length)


@st.composite
def models(draw):
    """Series with gaps, at any bars that share a grid, as (series, open times)."""
    codes = draw(st.lists(st.sampled_from(sorted(LENGTHS)), min_size=1, max_size=4))
    model = []
    for number, code in enumerate(codes):
        opened, times = opens(f"I{number}_{code}", draw(st.integers(1, 400)))
        missing = draw(st.lists(st.integers(0, len(times) - 1), max_size=8))
        model.append((opened, np.delete(times, missing)))
    return model


def test_one_series_is_cut_at_its_shares():
    btc, times = opens("BTC_4H", 2000)
    assert {s: len(times[part]) for s, part in cuts([(btc, times)], SETTINGS).slices(times, 4 * HOUR).items()} == {
        "train": 1400,
        "val": 300,
        "test": 300,
    }


def test_a_model_of_two_bars_has_bars_of_each_in_every_split():
    model = [opens("A_4H", 2000), opens("A_1D", 2000)]
    at = cuts(model, SETTINGS)
    assert all(len(times[part]) for s, times in model for part in at.slices(times, s.bar.length).values())


@given(models(), st.randoms())
def test_the_order_of_series_does_not_matter(model, random):
    shuffled = random.sample(model, len(model))
    if any(len(times) for _, times in model):
        assert cuts(model, SETTINGS) == cuts(shuffled, SETTINGS)


@given(models())
def test_no_bar_straddles_a_cut_so_every_bar_is_in_exactly_one_split(model):
    if not any(len(times) for _, times in model):
        return
    at = cuts(model, SETTINGS)
    for opened, times in model:
        parts = at.slices(times, opened.bar.length)
        assert [t for split in SPLITS for t in times[parts[split]]] == list(times)
        for split, span in at.spans.items():
            inside = times[parts[split]]
            assert ((inside >= span.start) & (inside + opened.bar.length <= span.stop)).all()


@given(models())
def test_a_cut_is_the_first_grid_instant_with_its_share_before_it(model):
    total = sum(len(times) for _, times in model)
    if not total:
        return
    at = cuts(model, SETTINGS)
    for instant_, share in ((at.train_end, 0.70), (at.val_end, 0.85)):
        before = sum(int((times < instant_).sum()) for _, times in model)
        step = math.lcm(*(opened.bar.length for opened, times in model if len(times)))
        a_step_earlier = sum(int((times < instant_ - step).sum()) for _, times in model)
        assert a_step_earlier < round(share * total) <= before or round(share * total) == 0


@given(st.lists(st.integers(0, 500), unique=True), st.integers(-10, 510))
def test_a_timeline_counts_like_its_bars(slots, hour):
    times = np.array(sorted(slots), np.int64) * HOUR
    timeline = Timeline.of(times, HOUR)
    assert timeline.bars.sum() == len(times)
    assert timeline.opened_before(hour * HOUR) == (times < hour * HOUR).sum()
    assert timeline.opened_before(hour * HOUR + 1) == (times < hour * HOUR + 1).sum()
    for span in Cuts(hour * HOUR - 1, hour * HOUR + 7 * HOUR).spans.values():
        inside = (times >= span.start) & (times + HOUR <= span.stop)
        assert timeline.bars_inside(span).sum() == inside.sum()


@given(st.integers(-500, 500), st.integers(0, 500))
def test_a_full_timeline_is_the_timeline_of_its_bars(start, minutes):
    span = Span(start * MINUTE, (start + minutes) * MINUTE)
    times = np.arange(bar("1H").ceil(span.start), span.stop, HOUR)
    full = Timeline.full(bar("1H"), span)
    assert full.bars.sum() == len(times)
    if len(times):
        assert [list(column) for column in full] == [list(column) for column in Timeline.of(times, HOUR)]


def test_a_timeline_grows_with_gaps_and_not_with_bars():
    _, times = opens("A_1m", 500_000)
    assert len(Timeline.of(np.delete(times, [7, 400_000]), 60_000).bars) == 3


def test_bars_that_never_meet_lose_the_bar_over_the_cut():
    model = [opens("A_1D", 1000), opens("B_1D@UTC+8", 1000)]
    at = cuts(model, SETTINGS)
    left = [len(times) - sum(len(times[p]) for p in at.slices(times, DAY).values()) for _, times in model]
    assert left == [0, 2]


def test_four_and_six_hours_meet_every_twelve():
    at = cuts([opens("A_4H", 1001), opens("B_6H", 777)], SETTINGS)
    assert all(bar("12H").floor(t) == t for t in at[:2])


def test_a_session_day_is_cut_where_it_opens():
    stock, times = opens("600519_1D", 900)
    at = cuts([(stock, times - 8 * HOUR)], SETTINGS)
    assert iso(at.train_end).endswith("T16:00Z")


@pytest.mark.parametrize("model", [[], [(series("A_4H"), np.empty(0, np.int64))]])
def test_nothing_to_split_is_an_error(model):
    with pytest.raises(DataError, match="No bars to split"):
        cuts(model, SETTINGS)


def test_spans_lie_end_to_end():
    spans = Cuts(5, 9).spans
    assert list(spans) == list(SPLITS)
    assert all(spans[a].stop <= spans[b].start for a, b in combinations(SPLITS, 2))
