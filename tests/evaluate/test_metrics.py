"""Each metric against an example worked by hand."""

import numpy as np
import pytest
from scipy import stats

from kronosforge.evaluate.bootstrap import Blocks
from kronosforge.evaluate.metrics import BINS, Paths, across, correlations, score, weighted_pearson

NAN = np.nan


def paths(close, gap=NAN, violations=NAN) -> Paths:
    """Of one origin: `close` is (S, H)."""
    return Paths(np.array([close], float), np.array([gap]), np.array([violations]))


def scores_of(close, real, unit=0.01, **options) -> dict[str, float]:
    scores = score(paths(close, **options), np.array([real], float), np.array([unit]))
    return {name: value[0] for name, value in scores.values.items()}


def test_a_point_forecast_by_hand() -> None:
    result = scores_of([[0.01, 0.03]], [0.02, -0.01])
    assert result["mae"] == pytest.approx((0.01 + 0.04) / 2)
    assert result["crps"] == pytest.approx(result["mae"])
    assert result["mase"] == pytest.approx(2.5)
    assert result["hit"] == 0
    assert result["signal"] == 0.03
    assert result["drift_bias"] == pytest.approx(0.04)
    assert result["vol_realised"] == pytest.approx(np.sqrt((0.02**2 + 0.03**2) / 2))
    assert all(np.isnan(result[name]) for name in ("coverage_50", "coverage_90", "vol_predicted", "gap", "violations"))


def test_crps_of_two_paths_by_hand() -> None:
    """E|X − y| − ½ E|X − X'|: for 0 and 2 against 1 it is 1 − ½; against 3 it is 2 − ½."""
    assert scores_of([[0], [2]], [1])["crps"] == pytest.approx(0.5)
    assert scores_of([[0], [2]], [3])["crps"] == pytest.approx(1.5)
    assert scores_of([[0, 0], [2, 2]], [1, 3])["crps"] == pytest.approx(1.0)


@pytest.mark.parametrize(("close", "end", "hit"), [(0.1, 0.2, 1), (-0.1, 0.2, 0), (0, 0.2, 0.5), (0.1, 0, NAN)])
def test_direction(close: float, end: float, hit: float) -> None:
    assert scores_of([[close]], [end])["hit"] == pytest.approx(hit, nan_ok=True)


def test_the_median_and_the_mean_each_have_their_metric() -> None:
    result = scores_of([[1], [2], [9]], [2.5], gap=0.001, violations=0.25)
    assert (result["signal"], result["mae"], result["drift_bias"]) == pytest.approx((2, 0.5, 1.5))
    assert (result["gap"], result["violations"]) == (0.001, 0.25)


def test_volatility_is_the_mean_over_paths() -> None:
    """Steps of 1 and 1, and of 3 and −3."""
    assert scores_of([[1, 2], [3, 0]], [1, 1])["vol_predicted"] == pytest.approx((1 + 3) / 2)


def test_coverage_by_hand() -> None:
    """Of 19 paths 1 … 19, Weibull's quantile p is 20 p: the 50 % interval is 5 … 15, that of 90 % is 1 … 19."""
    close = np.arange(1, 20)[:, None].repeat(4, axis=1)
    result = scores_of(close, [5, 15.1, 18, 19.1])
    assert [result[f"coverage_{level}"] for level in (50, 80, 90)] == [0.25, 0.75, 0.75]


@pytest.mark.parametrize("samples", [9, 32])
def test_calibrated_paths_are_found_calibrated(samples: int) -> None:
    rng = np.random.default_rng(0)
    real, close = rng.normal(size=(4000, 1)), rng.normal(size=(4000, samples, 1))
    nothing = np.full(4000, NAN)
    result = score(Paths(close, nothing, nothing), real, np.ones(4000))
    assert result.pit.mean(axis=0) == pytest.approx(np.full(BINS, 0.1), abs=0.02)
    for level in (0.5, 0.8):
        assert result.values[f"coverage_{100 * level:.0f}"].mean() == pytest.approx(level, abs=0.03)
    narrow = score(Paths(close / 2, nothing, nothing), real, np.ones(4000))
    assert narrow.values["coverage_80"].mean() < 0.6
    assert narrow.pit.mean(axis=0)[[0, -1]].min() > 0.2


def test_pit_by_hand() -> None:
    """One of four paths lies below: the rank is [1/5, 2/5], bins 3 and 4 of ten; a tie makes it [1/5, 3/5]."""
    pit = score(paths([[0], [2], [3], [4]]), np.array([[1.0]]), np.ones(1)).pit[0]
    assert pit == pytest.approx([0, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 0])
    tied = score(paths([[0], [1], [3], [4]]), np.array([[1.0]]), np.ones(1)).pit[0]
    assert tied == pytest.approx([0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0])


def test_ic_over_time_is_scipys_by_series_and_its_mean() -> None:
    rng = np.random.default_rng(1)
    at, of = np.repeat(np.arange(60), 2), np.tile([0, 1], 60)
    x = rng.normal(size=120)
    y = np.where(of == 0, np.exp(x), -x) + 0.1 * rng.normal(size=120)
    result = correlations(at, of, x, y, Blocks(60, 3, replicates=200, level=0.95, seed=0))
    for j in (0, 1):
        ic, rank = result[j]
        assert ic.value == pytest.approx(stats.pearsonr(x[of == j], y[of == j]).statistic)
        assert rank.value == pytest.approx(stats.spearmanr(x[of == j], y[of == j]).statistic)
        assert ic.low < ic.value < ic.high
    assert result[None][0].value == pytest.approx((result[0][0].value + result[1][0].value) / 2)
    assert result[0][0].low > 0


def test_ic_of_what_never_changes_is_undefined() -> None:
    at, blocks = np.arange(30), Blocks(30, 2, replicates=200, level=0.95, seed=0)
    result = correlations(at, np.zeros(30, int), np.zeros(30), np.arange(30.0), blocks)
    assert result[None][0].value is None
    assert result[0][1].low is None


def test_a_weighted_correlation_is_that_of_the_rows_repeated() -> None:
    rng = np.random.default_rng(2)
    x, y, weights = rng.normal(size=20), rng.normal(size=20), rng.integers(0, 4, (3, 20))
    expected = [stats.pearsonr(np.repeat(x, w), np.repeat(y, w)).statistic for w in weights]
    assert weighted_pearson(weights.astype(float), x, y) == pytest.approx(expected)


def test_correlation_across_series_needs_three() -> None:
    group = np.array([0, 1, 0, 1, 0, 2])
    predicted, real = np.array([1.0, 1, 2, 2, 3, 1]), np.array([1.0, 5, 2, 6, 9, 1])
    result = across(group, predicted, real)
    assert result[0] == pytest.approx([stats.pearsonr([1, 2, 3], [1, 2, 9]).statistic, 1])
    assert np.isnan(result[1:]).all()
