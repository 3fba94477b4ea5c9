"""Where train, val and test meet: two instants, the same for every series of a model.

If each series were cut at its own 70 %, the validation days of one coin would be training days of another, and the model
would learn from training what moved both at once. The shares refer to the bars of all series *together*, so that a model of
4H and 1D bars, whose histories differ in length, has bars of each in every split.
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
# Before and after every candle, and far enough from the ends of int64 that sums with them do not overflow.
ALWAYS = Span(-(2**62), 2**62)


class Cuts(NamedTuple):
    """The instants (ms) at which one split ends and the next begins; the test split may have an end, too."""

    train_end: int
    val_end: int
    test_end: int = ALWAYS.stop

    @property
    def spans(self) -> dict[str, Span]:
        """Split → span. A bar belongs to a split if [open, open + length) lies inside its span."""
        edges = (ALWAYS.start, *self)
        return {name: Span(start, stop) for name, start, stop in zip(SPLITS, edges[:-1], edges[1:], strict=True)}

    def slices(self, times: Times, length: int) -> dict[str, slice]:
        """Split → the slice of `times` that belongs to it, for bars of `length` ms."""
        return {
            name: slice(
                int(np.searchsorted(times, span.start)), int(np.searchsorted(times, span.stop - length, "right"))
            )
            for name, span in self.spans.items()
        }


class Timeline(NamedTuple):
    """The open times of many bars, compressed: a row for each block of bars that follow one another without a gap."""

    start: Times  # (n,) open time of the block's first bar, ms
    length: Times  # (n,) of one bar, ms
    bars: Times  # (n,) number of bars

    @classmethod
    def of(cls, times: Times, length: int) -> "Timeline":
        """The timeline of one series whose bars of `length` ms open at `times`."""
        first = np.append(0, np.flatnonzero(np.diff(times) != length) + 1)[: len(times)]
        count = np.diff(first, append=len(times))
        return cls(times[first], np.full(len(first), length, np.int64), count.astype(np.int64))

    @classmethod
    def full(cls, bar: Bar, span: Span) -> "Timeline":
        """The timeline of every bar that opens in `span`."""
        columns = (bar.ceil(span.start), bar.length, span.bars(bar))
        return cls(*(np.array([column], np.int64) for column in columns))

    @classmethod
    def join(cls, timelines: Iterable["Timeline"]) -> "Timeline":
        """One timeline with the rows of all `timelines`."""
        empty = cls.of(np.empty(0, np.int64), 1)
        return cls(*map(np.concatenate, zip(empty, *timelines, strict=True)))

    def opened_before(self, instant: int) -> int:
        """How many bars open before `instant`."""
        return int(np.clip(-((self.start - instant) // self.length), 0, self.bars).sum())

    def bars_inside(self, span: Span) -> Times:
        """(n,) how many bars of each block lie inside `span` from open to close."""
        first = np.clip(-((self.start - span.start) // self.length), 0, self.bars)
        last = np.clip((span.stop - self.start) // self.length, 0, self.bars)
        count: Times = np.maximum(last - first, 0)
        return count


def cuts(times: Iterable[tuple[Series, Times]], settings: SplitConfig) -> Cuts:
    """The cuts of a model whose series open their bars at `times` (ms, ascending); each array is read once.

    A cut is the first instant of the common grid before which at least its share of all bars opens. The common grid is
    that of the longest bar, thinned until no shorter bar lies across it (4H and 6H meet every twelve hours). Where grids
    never meet, as the UTC and the Hong Kong day, the bar across a cut belongs to no split. The order of the series does
    not matter. Raises DataError if there are no bars.
    """
    return cut(Timeline.join(Timeline.of(opens, series.bar.length) for series, opens in times), settings)


def cut(timeline: Timeline, settings: SplitConfig) -> Cuts:
    """Like `cuts`, for the bars of a timeline."""
    return fold_cuts(timeline, settings, 1)[0]


def fold_cuts(timeline: Timeline, settings: SplitConfig, folds: int) -> list[Cuts]:
    """The cuts of `folds` walk-forward folds, whose test splits follow one another to the end of the history.

    The first fold is split by `settings`. Each later fold moves on by one test split and trains on all bars before its
    validation split. A single fold is the split of the whole history. Raises DataError if there are no bars.
    """
    test = 1 - settings.train - settings.val
    first = 1 / (1 + (folds - 1) * test)  # the share of all bars in the first fold
    train_ends, val_ends = (
        _instants(timeline, [first * (share + k * test) for k in range(folds)])
        for share in (settings.train, settings.train + settings.val)
    )
    return [Cuts(*ends) for ends in zip(train_ends, val_ends, [*val_ends[1:], ALWAYS.stop], strict=True)]


def _instants(timeline: Timeline, shares: Iterable[float]) -> list[int]:
    """For each of `shares`, the first instant of the common grid before which at least that share of all bars opens."""
    total = int(timeline.bars.sum())
    if not total:
        raise DataError(
            _("No bars to split: every series is empty after cleaning; check the findings or use more records")
        )
    phase, step = _grid(timeline)
    low = (int(timeline.start.min()) - phase) // step
    high = -((phase - int((timeline.start + timeline.length * timeline.bars).max())) // step)
    steps = range(low, high + 1)
    indices = (
        bisect_left(steps, round(share * total), key=lambda k: timeline.opened_before(phase + k * step))
        for share in shares
    )
    return [phase + steps[index] * step for index in indices]


def _grid(timeline: Timeline) -> tuple[int, int]:
    """(phase, step) of the instants at which no bar is open: `phase + k * step`, ms.

    Phases are those at which bars really open, not those of the bar code: the day of a stock exchange does not open at
    midnight. Longer bars come first, and of equally long ones those with the most bars; a grid that never meets the
    others is left out.
    """
    bars: dict[tuple[int, int], int] = {}  # (length, phase) → number of bars
    for length, phase, count in zip(timeline.length, timeline.start % timeline.length, timeline.bars, strict=True):
        bars[int(length), int(phase)] = bars.get((int(length), int(phase)), 0) + int(count)
    (step, phase), *shorter = sorted(bars, key=lambda grid: (-grid[0], -bars[grid], grid[1]))
    for length, offset in shorter:
        common = math.lcm(step, length)
        meeting = next((t for t in range(phase, phase + common, step) if t % length == offset), None)
        if meeting is not None:
            phase, step = meeting, common
    return phase, step
