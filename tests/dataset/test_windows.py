"""Windows by number: where each stands, what it holds, how it is called."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.config import DatasetConfig
from kronosforge.core.errors import DataError
from kronosforge.dataset.native import open_split
from kronosforge.dataset.windows import Calendar, Windows
from kronosforge.split import starts

SETTINGS = DatasetConfig(lookback=8, predict=3)
instants = st.integers(-(10**12), 4 * 10**12)  # ms, 1938 to 2096


@pytest.fixture
def windows(prepared) -> Windows:
    return Windows.open(prepared.folder, "train", SETTINGS)


def by_hand(prepared, split="train") -> np.ndarray:
    """Every legal window of a split, raw, (W, 12, 6)."""
    candles, _, segments = open_split(prepared.folder, split)
    rows = starts(((segment.offset, segment.length) for segment in segments), SETTINGS.window)
    return np.stack([candles[row : row + SETTINGS.window] for row in rows])


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_they_are_those_that_were_counted(prepared, split):
    assert len(Windows.open(prepared.folder, split, SETTINGS)) == prepared.summary()["windows"][split]


def test_each_is_its_bars_by_the_formula(prepared, windows):
    raw = by_hand(prepared).astype(np.float64)
    past = raw[:, : SETTINGS.lookback]
    spread = np.sqrt(((past - past.mean(1, keepdims=True)) ** 2).sum(1, keepdims=True) / SETTINGS.lookback) + 1e-5
    expected = np.clip((raw - past.mean(1, keepdims=True)) / spread, -SETTINGS.clip, SETTINGS.clip).astype(np.float32)
    candles, _ = windows.gather(np.arange(len(windows)))
    assert candles.dtype == np.float32
    assert candles == pytest.approx(expected, abs=1e-6)


def test_their_order_in_a_batch_is_the_order_asked_for(windows):
    asked = np.array([200, 3, 139, 138, 3])
    together, alone = windows.gather(asked), [windows.gather(asked[i : i + 1]) for i in range(len(asked))]
    for part in (0, 1):
        assert together[part].tobytes() == b"".join(arrays[part].tobytes() for arrays in alone)


def test_the_horizon_moves_nothing_before_it_and_the_lookback_moves_all(prepared):
    file, rows = prepared.folder / "native" / "train" / "candles.npy", SETTINGS.window
    whole, last = np.load(file), np.array([0])

    def moved(row: int) -> np.ndarray:
        changed = whole.copy()
        changed[row] *= 1.01
        np.save(file, changed)
        return Windows.open(prepared.folder, "train", SETTINGS).gather(last)[0][0]

    before = Windows.open(prepared.folder, "train", SETTINGS).gather(last)[0][0].copy()
    for row in range(SETTINGS.lookback, rows):
        after = moved(row)
        assert after[: SETTINGS.lookback].tobytes() == before[: SETTINGS.lookback].tobytes()
        assert (after[row] != before[row]).any()
    for row in range(SETTINGS.lookback):
        inside = np.abs(before) < SETTINGS.clip
        assert (moved(row) != before)[inside].all()


@given(st.lists(instants, min_size=1, max_size=30))
def test_time_features_are_those_of_pandas(times):
    ms = np.array(times)
    index = pd.to_datetime(ms, unit="ms")
    expected = np.stack([index.minute, index.hour, index.day_of_week, index.day, index.month], axis=1)
    stamps = Calendar(int(ms.min()), int(ms.max())).stamps(ms)
    assert stamps.dtype == np.int64
    assert np.array_equal(stamps, expected)


def test_every_window_has_the_features_of_its_own_times(prepared, windows):
    time = open_split(prepared.folder, "train").time
    rows = starts(((s.offset, s.length) for s in open_split(prepared.folder, "train").segments), SETTINGS.window)
    index = pd.to_datetime(time[rows[:, None] + np.arange(SETTINGS.window)].ravel(), unit="ms")
    stamps = windows.gather(np.arange(len(windows)))[1].reshape(-1, 5)
    assert np.array_equal(stamps[:, 1:4], np.stack([index.hour, index.day_of_week, index.day], axis=1))


def test_a_window_is_named_by_its_series_and_first_bar(windows):
    # BTC's first segment has 150 bars; its second begins two hours after it
    assert windows.names(np.array([0, 139])) == ["BTC_1H 2023-11-09T00:00Z", "BTC_1H 2023-11-15T08:00Z"]
    assert windows.names(np.array([len(windows) - 1]))[0].startswith("ETH_1H")


def test_a_series_is_all_its_segments(windows):
    assert list(windows.series) == ["BTC_1H", "ETH_1H"]
    assert sum(windows.series.values()) == len(windows)
    assert windows.series["ETH_1H"] == 196 - SETTINGS.window + 1


def test_another_process_gets_the_path_and_not_the_candles(windows):
    sent = pickle.dumps(windows)
    assert len(sent) < 1000
    asked = np.array([5])
    for array, other in zip(windows.gather(asked), pickle.loads(sent).gather(asked), strict=True):
        assert np.array_equal(array, other)


@pytest.mark.parametrize("method", ["gather", "names"])
@pytest.mark.parametrize("number", [-1, 10**6])
def test_a_number_that_there_is_not_is_refused(windows, number, method):
    with pytest.raises(IndexError):
        getattr(windows, method)(np.array([number]))


def test_a_split_without_a_window_is_refused(prepared):
    with pytest.raises(DataError, match="no window of 401 bars"):
        Windows.open(prepared.folder, "train", DatasetConfig(lookback=300, predict=100))
    with pytest.raises(DataError, match="missing or broken"):
        Windows.open(prepared.folder / "nowhere", "train", SETTINGS)
