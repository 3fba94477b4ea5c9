"""What a forecast was worth, origin by origin, against the bars that came.

Prices are relative: price / last known close − 1, so that a coin of 60,000 and one of 0.1 weigh the same. Formulas are
those of scoringrules and scipy. B origins, S paths each, H bars ahead.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scoringrules
from scipy import stats

from kronosforge.evaluate.bootstrap import Blocks, Floats, Interval, Ints

LEVELS = (0.5, 0.8, 0.9)  # central intervals
BINS = 10  # of the PIT
ACROSS = 3  # series at one instant, at least, for a correlation across them


class Paths(NamedTuple):
    """Forecasts of B origins; a point forecast is one path."""

    close: Floats  # (B, S, H), relative
    gap: Floats  # (B,) mean first open, relative; NaN where opens are not forecast
    violations: Floats  # (B,) share of raw bars that are no valid candle; NaN likewise


class Scores(NamedTuple):
    """One forecaster's scores, a number an origin (N,), and what is correlated over them; NaN where there is none."""

    values: dict[str, Floats]
    pit: Floats  # (N, BINS), the share of an origin's bars in each bin


MEANS = (
    "crps", "mae", "mase", "hit", "coverage_50", "coverage_80", "coverage_90",
    "vol_predicted", "vol_realised", "gap", "drift_bias", "violations",
)  # fmt: skip
"""The scores whose mean is reported. In relative prices: crps and mae (of the median), means over the horizon; drift_bias,
mean path less what came, at the horizon; gap, of the first open; vol, root mean square of the steps. mase is mae in units
of the training split's mean one-bar move. hit is 1, 0, ½ where no side was taken, NaN where the price came back."""


def score(paths: Paths, real: Floats, unit: Floats) -> Scores:
    """Scores of B origins against `real` (B, H), relative closes; `unit` (B,) is the series' mean one-bar move in
    training."""
    close, end = paths.close, real[:, -1]
    median = np.median(close, axis=1)  # (B, H)
    mae = np.abs(median - real).mean(axis=1)
    values = {
        "signal": median[:, -1],
        "real": end,
        "crps": _crps(close, real),
        "mae": mae,
        "mase": mae / unit,
        "hit": _hit(median[:, -1], end),
        "vol_realised": _volatility(real),
        "gap": paths.gap,
        "drift_bias": close[:, :, -1].mean(axis=1) - end,
        "violations": paths.violations,
        **_spread(close, real),
    }
    return Scores(values, _pit(close, real))


def join(parts: list[Scores]) -> Scores:
    """The scores of all origins, given those of some."""
    names = parts[0].values
    return Scores(
        {name: np.concatenate([part.values[name] for part in parts]) for name in names},
        np.concatenate([part.pit for part in parts]),
    )


def _crps(close: Floats, real: Floats) -> Floats:
    """(B,) Of the paths as they are: a point forecast's is its absolute error, and few paths pay for being few."""
    crps: Floats = scoringrules.crps_ensemble(real, close, m_axis=1, estimator="qd", backend="numpy")
    return crps.mean(axis=1)


def _hit(signal: Floats, end: Floats) -> Floats:
    hit = np.where(signal == 0, 0.5, np.sign(signal) == np.sign(end))
    return np.where(end == 0, np.nan, hit)


def _volatility(close: Floats) -> Floats:
    """Of relative closes (…, H), which start from 0."""
    volatility: Floats = np.sqrt(np.square(np.diff(close, axis=-1, prepend=0)).mean(axis=-1))
    return volatility


def _spread(close: Floats, real: Floats) -> dict[str, Floats]:
    """What only several paths have: coverage, predicted volatility.

    Weibull's quantiles: of S paths, those that hold a further one as often as they say.
    """
    names = [f"coverage_{100 * level:.0f}" for level in LEVELS]
    if close.shape[1] == 1:
        return {name: np.full(len(close), np.nan) for name in [*names, "vol_predicted"]}
    scores = {"vol_predicted": _volatility(close).mean(axis=1)}
    for name, level in zip(names, LEVELS, strict=True):
        low, high = np.quantile(close, [(1 - level) / 2, (1 + level) / 2], axis=1, method="weibull")
        scores[name] = ((low <= real) & (real <= high)).mean(axis=1)
    return scores


def _pit(close: Floats, real: Floats) -> Floats:
    """(B, BINS) The bar's rank among S paths is an interval of [0, 1], spread evenly over the bins that it touches, so
    that no die is cast. Source: Czado, Gneiting, Held 2009, Biometrics 65(4)."""
    real = real[:, None]
    less, equal = (close < real).sum(axis=1), (close == real).sum(axis=1)  # (B, H)
    low, high = less / (close.shape[1] + 1), (less + equal + 1) / (close.shape[1] + 1)
    edges = np.linspace(0, 1, BINS + 1)[:, None, None]
    mass = np.diff(np.clip((edges - low) / (high - low), 0, 1), axis=0)  # (BINS, B, H)
    return mass.mean(axis=2).T


def correlations(
    at: Ints, of: npt.NDArray[np.int64], predicted: Floats, real: Floats, blocks: Blocks
) -> dict[int | None, tuple[Interval, Interval]]:
    """IC and RankIC over time: Pearson's and Spearman's correlation of each series' `predicted` (N,) with `real` (N,).

    `at` and `of` (N,) are the instants and the series. Under None stands the mean over series. Undefined where one side
    does not vary. Replicates of RankIC keep the whole sample's ranks.
    """
    usable = np.isfinite(predicted) & np.isfinite(real)
    rows = {j: np.flatnonzero(usable & (of == j)) for j in np.unique(of).tolist()}
    kept = {j: r for j, r in rows.items() if len(r) > 2 and np.ptp(predicted[r]) > 0 and np.ptp(real[r]) > 0}
    nothing = Interval(None, None, None)
    by_series: dict[int | None, tuple[Interval, Interval]] = dict.fromkeys([None, *rows], (nothing, nothing))
    if not kept:
        return by_series
    pairs = [(at[r], predicted[r], real[r]) for r in kept.values()]
    pairs += [(a, stats.rankdata(x), stats.rankdata(y)) for a, x, y in pairs]
    values = np.array([stats.pearsonr(x, y).statistic for _, x, y in pairs])
    n = len(kept)

    def with_means(each: Floats) -> Floats:
        """(…, 2n) → (…, 2n + 2)."""
        means = each.reshape(*each.shape[:-1], 2, n).mean(axis=-1)
        return np.concatenate((each, means), axis=-1)

    intervals = blocks.intervals(
        with_means(values),
        lambda weights: with_means(np.stack([weighted_pearson(weights[:, a], x, y) for a, x, y in pairs], axis=1)),
    )
    by_series |= {j: (intervals[i], intervals[n + i]) for i, j in enumerate(kept)}
    return by_series | {None: (intervals[-2], intervals[-1])}


def weighted_pearson(weights: Floats, x: Floats, y: Floats) -> Floats:
    """Pearson's correlation of `x` and `y` (N,) under each row of `weights` (n, N): scipy's takes none."""
    x, y = x - x.mean(), y - y.mean()
    moments = weights @ np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    mx, my, xx, yy, xy = (moments[:, 1:] / moments[:, :1]).T
    correlation: Floats = (xy - mx * my) / np.sqrt((xx - mx**2) * (yy - my**2))
    return correlation


def across(group: Ints, predicted: Floats, real: Floats) -> Floats:
    """(N, 2) The correlation and rank correlation over the series of each `group` (N,) of ACROSS forecasts or more, at
    the group's first row; NaN elsewhere."""
    coefficients = np.full((len(group), 2), np.nan)
    order = np.argsort(group, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        x, y = predicted[rows], real[rows]
        if len(rows) >= ACROSS and np.ptp(x) > 0 and np.ptp(y) > 0:
            coefficients[rows[0]] = stats.pearsonr(x, y).statistic, stats.spearmanr(x, y).statistic
    return coefficients
