"""Where train, val and test meet: two instants, the same for every series of a model.

If each series were cut at its own 70 %, one coin's validation days would be another's training days, and whatever moves
both at once would be learnt from the answer. Hence one clock for all. The shares are of the bars of all series *pooled*,
so that a model of 4H and 1D bars, whose histories differ in length, has bars of each in every split.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from kronosforge.config import SplitConfig
from kronosforge.core.bars import Bar, Series, Span
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _

Times: TypeAlias = npt.NDArray[np.int64]  # open times, ms, ascending

SPLITS = ("train", "val", "test")
# Before and after every candle, and far enough from the ends of int64 that sums with them stay inside.
ALWAYS = Span(-(2**62), 2**62)


class Cuts(NamedTuple):
    """The instants (ms): train closes at or before the first, test opens at or after the second, and closes at or before
    the third, where there is one."""

    train_end: int
    val_end: int
    test_end: int = ALWAYS.stop

    @property
    def spans(self) -> dict[str, Span]:
        """The stretch of each split. A bar is of a split iff [open, open + length) lies inside."""
        edges = (ALWAYS.start, *self)
        return {name: Span(start, stop) for name, start, stop in zip(SPLITS, edges[:-1], edges[1:], strict=True)}

    def slices(self, times: Times, length: int) -> dict[str, slice]:
        """Where each split's bars stand in `times`, for bars of `length` ms."""
        return {
            name: slice(
                int(np.searchsorted(times, span.start)), int(np.searchsorted(times, span.stop - length, "right"))
            )
            for name, span in self.spans.items()
        }


class Runs(NamedTuple):
    """Bars as stretches without a gap, so that memory grows with the gaps and not with the bars."""

    start: Times  # (n,) first open, ms
    length: Times  # (n,) of one bar, ms
    bars: Times  # (n,) how many

    @classmethod
    def of(cls, times: Times, length: int) -> "Runs":
        """The runs of one series."""
        first = np.append(0, np.flatnonzero(np.diff(times) != length) + 1)[: len(times)]
        count = np.diff(first, append=len(times))
        return cls(times[first], np.full(len(first), length, np.int64), count.astype(np.int64))

    @classmethod
    def full(cls, bar: Bar, span: Span) -> "Runs":
        """The run of the bars that open in `span`, if none is missing."""
        columns = (bar.ceil(span.start), bar.length, span.bars(bar))
        return cls(*(np.array([column], np.int64) for column in columns))

    @classmethod
    def join(cls, parts: Iterable["Runs"]) -> "Runs":
        """The runs of all series."""
        nothing = cls.of(np.empty(0, np.int64), 1)
        return cls(*map(np.concatenate, zip(nothing, *parts, strict=True)))

    def opened(self, instant: int) -> int:
        """How many bars open before `instant`."""
        return int(np.clip(-((self.start - instant) // self.length), 0, self.bars).sum())

    def inside(self, span: Span) -> Times:
        """(n,) how many bars of each run lie inside `span` from open to close."""
        first = np.clip(-((self.start - span.start) // self.length), 0, self.bars)
        last = np.clip((span.stop - self.start) // self.length, 0, self.bars)
        held: Times = np.maximum(last - first, 0)
        return held


def cuts(times: Iterable[tuple[Series, Times]], rules: SplitConfig) -> Cuts:
    """The cuts of a model whose series open their bars at `times` (ms, ascending); each array is looked at once.

    A cut is the first instant of the common grid before which at least its share of all bars opens. The common grid is
    that of the coarsest bar, thinned until no finer bar straddles it (4H and 6H meet every twelve hours). Where grids
    never meet, as the UTC and the Hong Kong day, the bar that straddles a cut is in no split. The order of the series
    does not matter. Raises DataError where there is no bar at all.
    """
    return cut(Runs.join(Runs.of(opens, series.bar.length) for series, opens in times), rules)


def cut(runs: Runs, rules: SplitConfig) -> Cuts:
    """`cuts` of bars given as runs."""
    return fold_cuts(runs, rules, 1)[0]


def fold_cuts(runs: Runs, rules: SplitConfig, folds: int) -> list[Cuts]:
    """The cuts of `folds` that walk forward: their test windows follow one another to the end of the history.

    The first fold is split by `rules`. Each later one moves on by a test window, and trains on all that lies before its
    validation window. One fold is the split of the whole. Raises DataError where there is no bar at all.
    """
    test = 1 - rules.train - rules.val
    first = 1 / (1 + (folds - 1) * test)  # the share of all bars that the first fold has
    trains, tests = (
        _instants(runs, [first * (share + k * test) for k in range(folds)])
        for share in (rules.train, rules.train + rules.val)
    )
    return [Cuts(*each) for each in zip(trains, tests, [*tests[1:], ALWAYS.stop], strict=True)]


def _instants(runs: Runs, shares: Iterable[float]) -> list[int]:
    """For each of `shares`, the first instant of the common grid before which at least so much of all bars opens."""
    total = int(runs.bars.sum())
    if not total:
        raise DataError(
            _("there is no bar to split: every series is empty after cleaning; look at the findings, ask for more")
        )
    phase, step = _grid(runs)
    low = (int(runs.start.min()) - phase) // step
    high = -((phase - int((runs.start + runs.length * runs.bars).max())) // step)
    steps = range(low, high + 1)
    at = (bisect_left(steps, round(share * total), key=lambda k: runs.opened(phase + k * step)) for share in shares)
    return [phase + steps[k] * step for k in at]


def _grid(runs: Runs) -> tuple[int, int]:
    """(phase, step) of the instants at which no bar is open: `phase + k * step`, ms.

    Phases are those at which bars were seen to open, not those of the bar code: a stock exchange's day does not open at
    midnight. Coarser bars come first, and of equally coarse ones what most bars do; who cannot join is left out.
    """
    seen: dict[tuple[int, int], int] = {}
    for length, phase, count in zip(runs.length, runs.start % runs.length, runs.bars, strict=True):
        seen[int(length), int(phase)] = seen.get((int(length), int(phase)), 0) + int(count)
    (step, phase), *finer = sorted(seen, key=lambda grid: (-grid[0], -seen[grid], grid[1]))
    for length, offset in finer:
        common = math.lcm(step, length)
        meeting = next((t for t in range(phase, phase + common, step) if t % length == offset), None)
        if meeting is not None:
            phase, step = meeting, common
    return phase, step
