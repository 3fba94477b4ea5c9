"""The backtest by hand."""

import numpy as np
import pytest

from kronosforge.config import EvaluateConfig
from kronosforge.core.bars import DAY, HOUR
from kronosforge.evaluate.backtest import YEAR, backtest, holdings, sharpe
from kronosforge.evaluate.rolling import Origins

COSTS = EvaluateConfig(fee_bps=50, slippage_bps=50, replicates=200)  # one per cent of what is traded
BARS = 2  # a horizon


def origins(instants: list[int], series: tuple[str, ...] = ("A_1H",)) -> Origins:
    """Hourly origins of every series at each of `instants`, in hours."""
    n, j = len(instants), len(series)
    at, of = np.tile(np.arange(n), j), np.repeat(np.arange(j), n)
    times = np.array(instants) * HOUR
    return Origins(list(series), times, at, of, at, times[at] - DAY, times[at] + BARS * HOUR)


def trade(signal: list[float], real: list[float], given: Origins) -> dict:
    result = backtest(given, {"m": np.array(signal)}, np.array(real), COSTS)["1H"]
    return {**result["strategies"]["m"], **result["strategies"]["buy and hold"], "holdings": result["holdings"]}


def test_holdings_do_not_overlap() -> None:
    held = holdings(origins([0, 1, 2, 3, 4, 5, 9, 10]), np.array([0]))
    assert (held.begin // HOUR).tolist() == [0, 2, 4, 9]
    assert (held.end // HOUR).tolist() == [2, 4, 6, 11]
    assert held.rows[:, 0].tolist() == [0, 2, 4, 6]
    assert held.apart.tolist() == [1, 0, 0, 1]


def test_long_then_short_by_hand() -> None:
    """Long into +10 %, short into −5 %, short into +2 %; long/short pays for 1, 2, 0 and, leaving, 1 unit."""
    result = trade([0.1, -0.1, -0.1], [0.10, -0.05, 0.02], origins([0, 2, 4]))
    net = [0.10 - 0.01, 0.05 - 0.02, -0.02 - 0.01]
    both = result["long/short"]
    assert both["return"] == pytest.approx(np.prod(np.add(1, net)) - 1)
    assert both["turnover"] == 4
    assert both["turnover_per_year"] == pytest.approx(4 * YEAR / (6 * HOUR))
    assert both["drawdown"] == pytest.approx(0.03)
    assert both["sharpe"]["value"] == pytest.approx(np.mean(net) / np.std(net) * np.sqrt(YEAR / (2 * HOUR)))
    flat = result["long/flat"]  # in, out, and nothing more
    assert flat["return"] == pytest.approx(1.09 * 0.99 - 1)
    assert flat["turnover"] == 2
    held = result["long"]
    assert held["return"] == pytest.approx(1.09 * 0.95 * 1.01 - 1)
    assert held["drawdown"] == pytest.approx(0.05)


def test_a_gap_closes_the_position() -> None:
    result = trade([0.1, 0.1], [0.0, 0.0], origins([0, 9]))
    assert result["long/flat"]["turnover"] == 4
    assert result["long/flat"]["return"] == pytest.approx(0.98**2 - 1)


def test_series_take_equal_parts() -> None:
    result = trade([0.1, 0.1, -0.1, -0.1], [0.10, 0.10, 0.04, 0.04], origins([0, 2], ("A_1H", "B_1H")))
    assert result["holdings"] == 2
    assert result["long/short"]["return"] == pytest.approx(1.02 * 1.02 - 1)  # +5 − 2 − 1, twice: in once, out once
    assert result["long/flat"]["return"] == pytest.approx((1.05 - 0.005) ** 2 - 1)


def test_no_side_no_trade_no_sharpe() -> None:
    flat = trade([0.0, 0.0, 0.0], [0.1, 0.1, 0.1], origins([0, 2, 4]))["long/short"]
    assert (flat["return"], flat["turnover"], flat["sharpe"]["value"]) == (0, 0, None)


def test_a_sharpe_has_an_interval_that_holds_the_truth() -> None:
    rng, inside, daily = np.random.default_rng(0), 0, 0.1
    for _ in range(200):
        ratio = sharpe(rng.normal(daily, 1, 300), 365, COSTS)
        inside += ratio.low <= daily * np.sqrt(365) <= ratio.high
    assert 0.9 <= inside / 200 <= 0.99


def test_bars_are_kept_apart() -> None:
    given = origins([0, 2, 4], ("A_1H", "B_1D"))
    result = backtest(given, {"m": np.ones(6)}, np.full(6, 0.1), COSTS)
    assert list(result) == ["1H", "1D"]
