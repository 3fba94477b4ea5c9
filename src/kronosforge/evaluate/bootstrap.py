"""Intervals of what overlaps: a moving-block bootstrap over the instants at which forecasts were made.

Forecasts of H bars made at every bar share H − 1 bars with the next, and series move together. So what is drawn is
blocks of time, at least as long as a forecast, with all series in them. Source: Künsch 1989, Annals of Statistics 17(3).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

LONGER = 3  # blocks of this many horizons, where there is room for them
FEWEST = 3  # blocks, below which nothing is said
_CELLS = 1 << 22  # weights held at once
_STEP = 1e-4  # by which a block's weight is raised to see what it contributes


class Interval(NamedTuple):
    """An estimate with its interval; None where there is nothing to estimate, or too little to say how sure it is."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval is."""
        return self.high is not None and self.high < 0


class Blocks:
    """Resamples of `instants` points of time; every statistic sees the same ones, so that differences are paired.

    An interval is the estimate ± Student's quantile × the resamples' deviation, which is divided by
    √(1 − length / instants): a block's mean lacks that, because the whole it is compared with contains it. Plain
    percentiles would hold the truth in 80 % of cases instead of 95 with ten blocks, and Student's quantile with one degree of
    freedom a block in 91 % of correlations: `_freedom`.
    """

    def __init__(self, instants: int, length: int, *, replicates: int, level: float, seed: int) -> None:
        """`length`: instants in a block."""
        self.instants, self.length, self.replicates = instants, length, replicates
        self.level, self.seed = level, seed

    @property
    def enough(self) -> bool:
        """Whether there is time enough to say anything."""
        return self.instants >= FEWEST * self.length

    def weights(self) -> Iterator[Floats]:
        """How often each instant is drawn, (n, instants), until there are `replicates` rows."""
        rng = np.random.default_rng(self.seed)
        blocks = -(-self.instants // self.length)
        sizes = np.full(blocks, self.length)
        sizes[-1] = self.instants - self.length * (blocks - 1)
        most = max(1, _CELLS // (self.instants + 1))
        for begin in range(0, self.replicates, most):
            rows = min(most, self.replicates - begin)
            starts = rng.integers(0, self.instants - self.length + 1, (rows, blocks))
            edges, row = np.zeros((rows, self.instants + 1)), np.arange(rows)[:, None]
            np.add.at(edges, (row, starts), 1)
            np.add.at(edges, (row, starts + sizes), -1)
            yield edges.cumsum(axis=1)[:, :-1]

    def intervals(self, values: Floats, statistic: Callable[[Floats], Floats]) -> list[Interval]:
        """Of the estimates `values` (K,); `statistic` makes replicates (n, K) of weights (n, instants)."""
        if not self.enough:
            return [Interval(number(value), None, None) for value in values]
        with np.errstate(invalid="ignore", divide="ignore"):
            replicates = np.concatenate([statistic(weights) for weights in self.weights()])
            spread = replicates.std(axis=0, ddof=1) / np.sqrt(1 - self.length / self.instants)
            half = spread * student.ppf((1 + self.level) / 2, self._freedom(statistic))
        return [
            Interval(number(v), number(v - h), number(v + h))
            for v, h in zip(values.tolist(), half.tolist(), strict=True)
        ]

    def _freedom(self, statistic: Callable[[Floats], Floats]) -> Floats:
        """Degrees of freedom (K,) of the deviation: as many as blocks fit, less one, and fewer where a few blocks weigh most.

        The variance of K blocks' contributions is itself known with the relative variance (kurtosis − 1) / K; Student's
        quantile expects 2 / freedom. Source: Satterthwaite 1946, Biometrics Bulletin 2(6). A block's contribution is how
        the estimate changes where the block counts a little more.
        """
        most = self.instants / self.length - 1
        starts = np.linspace(0, self.instants - self.length, self.replicates).astype(np.int64)[:, None]
        at, whole = np.arange(self.instants), statistic(np.ones((1, self.instants)))
        rows = max(1, _CELLS // self.instants)
        raised = (
            np.where((part <= at) & (at < part + self.length), 1 + _STEP, 1.0)
            for part in np.split(starts, range(rows, len(starts), rows))
        )
        changes = np.concatenate([statistic(weights) - whole for weights in raised])
        squares = np.square(changes - changes.mean(axis=0))
        kurtosis = np.square(squares).mean(axis=0) / np.square(squares.mean(axis=0))
        fewer = np.nan_to_num(2 * (most + 1) / (kurtosis - 1) - 1, nan=most)
        freedom: Floats = np.clip(fewer, 1, most)
        return freedom

    def means(self, at: Ints, columns: Floats) -> list[Interval]:
        """Of the mean of each column (N, K), NaN left out, of values that belong to the instants `at` (N,)."""
        finite = np.isfinite(columns)
        sums, counts = (_by_instant(at, part, self.instants) for part in (np.where(finite, columns, 0.0), finite))
        total = counts.sum(axis=0)
        values = np.divide(sums.sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)
        return self.intervals(values, lambda weights: (weights @ sums) / (weights @ counts))

    def shares(self, at: Ints, errors: Floats, other_errors: Floats) -> list[Interval]:
        """Of mean(`errors`) / mean(`other_errors`) − 1 of each pair of columns (N, K), values of the instants `at` (N,); None
        where the other mean is 0.

        Errors grow with the market's moves, which are quiet for months and wild for months: no block of a test is that
        long, and the interval of a plain difference holds the long run's in 60 % of cases instead of 95. In a share the
        moves cancel.
        """
        sums = _by_instant(at, np.concatenate((errors, other_errors), axis=1), self.instants)

        def statistic(weights: Floats) -> Floats:
            means, other_means = np.split(weights @ sums, 2, axis=-1)
            undefined = np.full(means.shape, np.nan)
            ratios: Floats = np.divide(means, other_means, out=undefined, where=other_means > 0) - 1
            return ratios

        return self.intervals(statistic(np.ones(self.instants)), statistic)


def number(value: float) -> float | None:
    """`value` as JSON has it: None instead of NaN and infinity."""
    return float(value) if np.isfinite(value) else None


def length(horizon: int, stride: int, share: float, instants: int, asked: int | None = None) -> int:
    """Instants in a block: those `asked` for, else LONGER × (`horizon` + 1) bars where FEWEST such blocks fit, else less;
    never fewer than `horizon` + 1 bars. Instants lie `stride` bars apart; `share` is that of them at which the longest
    bars are forecast.

    A forecast's correlation with later ones fades over a whole horizon, and blocks of one horizon see half of it.
    """
    least = int(np.ceil(np.ceil((horizon + 1) / stride) / share))
    return max(least, asked or min(LONGER * least, instants // FEWEST))


def _by_instant(at: Ints, columns: npt.NDArray[np.generic], instants: int) -> Floats:
    sums = np.zeros((instants, columns.shape[1]))
    np.add.at(sums, at, columns)
    return sums
