"""The normalisation looks at the lookback and at nothing else."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kronosforge.core.candles import FEATURES
from kronosforge.dataset.normalize import normalize, scale

LOOKBACK, BARS = 6, 10
values = st.floats(-1e9, 1e9, width=32)
windows = arrays(np.float32, (BARS, 6), elements=values)


@given(windows, arrays(np.float32, (BARS - LOOKBACK, 6), elements=values))
def test_another_future_leaves_the_lookback_as_it_is(window, future):
    other = np.concatenate([window[:LOOKBACK], future])
    before, after = (normalize(w, LOOKBACK, 5.0)[:LOOKBACK] for w in (window, other))
    assert before.tobytes() == after.tobytes()


def test_another_past_moves_the_future():
    window = np.arange(BARS * 6, dtype=np.float32).reshape(BARS, 6)
    other = window.copy()
    other[0] += 1
    assert (normalize(window, LOOKBACK, 5.0)[LOOKBACK:] != normalize(other, LOOKBACK, 5.0)[LOOKBACK:]).all()


@given(windows, st.floats(0.5, 10))
def test_nothing_passes_the_clip_and_the_input_stays(window, clip):
    before = window.copy()
    out = normalize(window, LOOKBACK, clip)
    assert out.dtype == np.float32
    assert np.abs(out).max() <= np.float32(clip)
    assert (window == before).all()


def test_by_hand():
    window = np.array([[1.0], [3.0], [5.0]]).repeat(6, axis=1)
    assert normalize(window, 2, 5.0)[:, 0] == pytest.approx([-1 / 1.00001, 1 / 1.00001, 3 / 1.00001])


def test_a_batch_is_its_windows_one_by_one():
    batch = np.random.default_rng(1).normal(100, 5, (3, 4, BARS, 6)).astype(np.float32)
    each = [[normalize(window, LOOKBACK, 5.0) for window in row] for row in batch]
    assert normalize(batch, LOOKBACK, 5.0).tobytes() == np.array(each).tobytes()


def test_a_flat_lookback_is_nought_and_not_rounding_noise():
    assert not normalize(np.full((101, 6), 60000.1, np.float32), 90, 5.0).any()


def test_the_scale_brings_candles_back():
    window = np.random.default_rng(2).normal(60000, 300, (BARS, 6))
    mean, spread = scale(window[:LOOKBACK])
    assert normalize(window, LOOKBACK, 1e9) * spread + mean == pytest.approx(window)


def test_real_candles_come_out_as_upstream_computes_them(shared):
    names = ["open", "high", "low", "close", "volCcy", "volCcyQuote"]
    candles = pl.read_csv(shared / "data/okx/BTC-USDT-SWAP_4H.csv").select(names).to_numpy().astype(np.float32)
    assert len(names) == len(FEATURES)
    for window in np.lib.stride_tricks.sliding_window_view(candles, 101, axis=0).swapaxes(1, 2)[::50]:
        past = window[:90]
        upstream = np.clip((window - past.mean(axis=0)) / (past.std(axis=0) + 1e-5), -5, 5)
        assert normalize(window, 90, 5.0) == pytest.approx(upstream, abs=1e-4)
