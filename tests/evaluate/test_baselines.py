"""Naive forecasts by hand."""

import numpy as np
import pytest

from kronosforge.core.bars import DAY, bar
from kronosforge.evaluate.baselines import baselines, drift, last_price, random_walk, season, seasonal
from kronosforge.evaluate.rolling import Lookback


def lookback(closes: list[float], code: str = "4H", horizon: int = 3, times: list[int] | None = None) -> Lookback:
    interval = bar(code)
    opens = np.array(times if times is not None else np.arange(len(closes)) * interval.length)
    candles = np.repeat(np.array(closes, float)[None, :, None], 6, axis=2)
    ahead = opens[-1] + interval.length * np.arange(1, horizon + 1)
    return Lookback([f"BTC_{code}"], [interval], candles, opens[None], ahead[None])


def test_last_price_and_drift() -> None:
    given = lookback([100, 90, 110])
    assert last_price(given).close.tolist() == [[[0, 0, 0]]]
    assert drift(given).close[0, 0] == pytest.approx([5 / 110, 10 / 110, 15 / 110])


def test_seasonal_repeats_the_last_day() -> None:
    given = lookback([1, 1, 10, 20, 30, 40, 50, 60], horizon=8)
    assert 60 * (1 + seasonal(given).close[0, 0]) == pytest.approx([10, 20, 30, 40, 50, 60, 10, 20])


def test_a_week_of_a_market_that_rests_has_five_days() -> None:
    """Monday to Friday, twice; what comes is Monday."""
    days = [4, 5, 6, 7, 8, 11, 12, 13, 14, 15]
    given = lookback([*range(10, 20)], "1D", times=[day * DAY for day in days])
    assert 19 * (1 + seasonal(given).close[0, 0]) == pytest.approx([15, 16, 17])


def test_seasonal_needs_a_season() -> None:
    assert [season(bar(code)) // DAY for code in ("1m", "4H", "1D", "1W")] == [1, 1, 7, 364]
    assert "seasonal naive" in baselines([bar("4H")], 6, 8, 0)
    assert "seasonal naive" not in baselines([bar("4H")], 5, 8, 0)
    assert "seasonal naive" not in baselines([bar("4H"), bar("5m")], 6, 8, 0)


def test_the_random_walk_is_as_wide_as_the_past() -> None:
    rng = np.random.default_rng(0)
    closes = np.exp(0.02 * rng.normal(size=400).cumsum())
    paths = np.log1p(random_walk(lookback(closes.tolist(), horizon=16), 2000, 0).close[0])
    width = np.diff(np.log(closes)).std(ddof=1)
    assert paths.mean(axis=0) == pytest.approx(np.zeros(16), abs=4 * width * 4 / np.sqrt(2000))
    assert paths.std(axis=0) == pytest.approx(width * np.sqrt(np.arange(1, 17)), rel=0.06)


def test_a_random_path_belongs_to_its_series_origin_and_number() -> None:
    given = lookback([1, 2, 3, 2])
    many = random_walk(given, 5, 0).close
    assert np.array_equal(random_walk(given, 2, 0).close, many[:, :2])
    assert not np.isclose(random_walk(given._replace(series=["ETH_4H"]), 5, 0).close, many).any()
    assert not np.isclose(random_walk(given._replace(times=given.times + 1), 5, 0).close, many).any()
    assert not np.isclose(random_walk(given, 5, 1).close, many).any()
