"""Windows: each is counted once, and too few are reported."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.config import SplitConfig
from kronosforge.core.bars import DAY, HOUR, Span, series
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import Message
from kronosforge.split import Timeline, check_windows, count, expected_windows, records_needed, starts, total

BTC, ETH = series("BTC_4H"), series("ETH_4H")
SETTINGS = SplitConfig(thin_windows=10)


def newest(records, *model):
    """The newest bars of each series before its own newest open time at 1970."""
    return {s: Timeline.full(s.bar, Span(s.bar.floor(0) - records * s.bar.length, s.bar.floor(0))) for s in model}


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(4, 12))
def test_starts_are_all_windows_inside_a_segment(lengths, window):
    owner = np.repeat(np.arange(len(lengths)), lengths)
    legal = [i for i in range(len(owner) - window + 1) if len(set(owner[i : i + window])) == 1]
    segments = [(sum(lengths[:i]), n) for i, n in enumerate(lengths)]
    assert list(starts(segments, window)) == legal
    assert count(lengths, window) == len(legal)


def test_expected_windows_of_the_first_model():
    windows = expected_windows(newest(2000, BTC, ETH), SETTINGS, 101)
    assert windows == {s: {"train": 1300, "val": 200, "test": 200} for s in (BTC, ETH)}


@pytest.mark.parametrize(
    ("keys", "window"), [(["BTC_4H"], 101), (["BTC_1D", "ETH_1D"], 136), (["A_4H", "B_1D"], 50), (["A_6H", "B_4H"], 20)]
)
def test_records_needed_are_enough_and_one_fewer_are_not(keys, window):
    model = [series(key) for key in keys]
    needed = records_needed(model, SETTINGS, window)

    def fewest(records):
        return min(total(expected_windows(newest(records, *model), SETTINGS, window).values()).values())

    assert fewest(needed) >= 1
    assert fewest(needed - 1) == 0


def test_records_needed_end_even_where_a_share_is_hopeless():
    assert records_needed([BTC], SplitConfig(train=0.9999999999, val=1e-11), 101) > 50_000_000


def test_a_split_without_windows_says_how_many_records_would_do():
    windows = {BTC: {"train": 400, "val": 0, "test": 0}}
    with pytest.raises(DataError, match=r"train 400, val 0, test 0.*about 67\d records"):
        check_windows(windows, SETTINGS, 101)


def test_enough_windows_warn_of_nothing():
    assert check_windows({BTC: {"train": 10, "val": 10, "test": 10}}, SETTINGS, 101) == []


def test_thin_splits_and_series_without_windows_are_warned_of():
    windows = {BTC: {"train": 90, "val": 9, "test": 30}, ETH: {"train": 20, "val": 0, "test": 0}}
    thin, missing = check_windows(windows, SETTINGS, 101)
    assert "val has only 9 windows" in thin.translated("en")
    assert "ETH_4H has no window of 101 bars in val, test" in missing.translated("en")
    assert "ETH_4H 在 val, test 中没有" in missing.translated("zh")


def test_expected_reads_spans_off_the_grid_as_bars_inside():
    daily = series("A_1D")
    whole = expected_windows({daily: Timeline.full(daily.bar, Span(0, 1000 * DAY))}, SETTINGS, 50)
    assert expected_windows({daily: Timeline.full(daily.bar, Span(-HOUR, 1000 * DAY))}, SETTINGS, 50) == whole


def test_windows_run_across_the_pauses_of_a_market():
    daily = series("A_1D")
    weekdays = np.array(
        [day * DAY for day in range(4, 4 + 7 * 100) if day % 7 not in (2, 3)]
    )  # 1970-01-01 is a Thursday
    ((windows),) = expected_windows({daily: Timeline.of(weekdays, DAY)}, SETTINGS, 50).values()
    assert windows == {"train": 350 - 49, "val": 75 - 49, "test": 75 - 49}


def test_a_cause_takes_the_place_of_the_advice_to_ask_for_more():
    gaps = Message("ETH_4H has gaps")
    with pytest.raises(DataError, match=r"ETH_4H has gaps$") as error:
        check_windows({ETH: {"train": 40, "val": 0, "test": 0}}, SETTINGS, 101, {ETH: gaps})
    assert "records per series" not in str(error.value)


def test_a_cause_is_a_warning_where_other_series_have_windows():
    gaps = Message("ETH_4H has gaps")
    windows = {BTC: {"train": 90, "val": 90, "test": 90}, ETH: {"train": 0, "val": 0, "test": 0}}
    assert check_windows(windows, SETTINGS, 101, {ETH: gaps}) == [gaps]
