"""Checks of candles: functions from columns to masks, which change nothing.

The thresholds for frozen bars and changed units were measured on real files; docs/en/clean.md has the figures.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kronosforge.clean.grid import Instants, Mask
from kronosforge.core.candles import FEATURES

Values = NDArray[np.float64]

NOISE = 1e-9  # relative error of prices after conversions between floats and text
ROUNDING = 2e-3  # relative error of turnover / volume if a venue rounds both; 3e-4 in Coinbase's hourly file

# Frozen bars.
BLOCK = 64  # bars over which the usual values of a market are measured
JOINT_FLOOR = 0.02  # of the usual range: a bar with a smaller distance between close and next open is never frozen
JOINT_FACTOR = 100.0  # times the upper quartile of the distances
JOINT_STRONG = 0.2  # of the usual range: with a larger distance, even a bar with much volume is frozen
TICKS = 5  # where trades are rare, close and next open are a tick or two apart
REGIME = 10.0  # a block whose distances grow by more than this factor is compared with the block before it

REPEATED_BARS = 3  # consecutive bars that repeat others; fewer may be chance
UNIT_WINDOW, UNIT_NEAR = 24, 8  # bars with volume on either side of a change of unit
UNIT_SHIFT = 1.5  # decimal digits; the largest step of a real market was 1.4
UNIT_HINT = 1.2  # decimal digits between blocks, above which the exact check runs
UNIT_BARS = 8  # consecutive bars whose turnover / volume is off by the same factor


class Columns(NamedTuple):
    """The columns of a frame of candles, each of n values."""

    ts: Instants
    open: Values
    high: Values
    low: Values
    close: Values
    vol: Values
    amt: Values

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "Columns":
        """The columns of `frame`, without a copy if polars allows it; nulls become NaN."""
        values: list[Values] = [frame[name].to_numpy() for name in FEATURES]
        return cls(frame["ts"].to_numpy(), *values)

    def at(self, rows: Mask | slice) -> "Columns":
        """The columns of some rows."""
        values: list[Values] = [column[rows] for column in self[1:]]
        return Columns(self.ts[rows], *values)


BROKEN = ("", "not_finite", "not_positive", "range", "negative")


def broken(x: Columns) -> NDArray[np.uint8]:
    """For each bar the index in BROKEN of its first fault; 0 for a bar without one."""
    with np.errstate(invalid="ignore"):
        sound = (
            (x.low > 0)
            & (x.high >= np.maximum(x.open, x.close) * (1 - NOISE))
            & (x.low <= np.minimum(x.open, x.close) * (1 + NOISE))
            & (x.high < np.inf)
            & (x.vol >= 0)
            & (x.vol < np.inf)
            & (x.amt >= 0)
            & (x.amt < np.inf)
        )
    codes = np.zeros(len(x.ts), dtype=np.uint8)
    if not sound.all():
        codes[~sound] = _reasons(x.at(~sound))
    return codes


def _reasons(x: Columns) -> NDArray[np.uint8]:
    values = np.vstack(x[1:])
    finite = np.isfinite(values).all(axis=0)
    positive = (values[:4] > 0).all(axis=0)
    negative = (x.vol < 0) | (x.amt < 0)
    return np.select([~finite, ~positive, negative], [1, 2, 4], 3).astype(np.uint8)


def still(x: Columns) -> Mask:
    """Bars without trade: volume 0 and one price."""
    mask: Mask = (x.vol == 0) & (x.high == x.low)
    return mask


def segments(mask: Mask, ordinal: Instants) -> tuple[Instants, Instants]:
    """First and stop index of each segment of neighbouring bars under `mask`."""
    at = np.flatnonzero(mask)
    if not len(at):
        return at, at
    ends = np.flatnonzero((np.diff(at) > 1) | (np.diff(ordinal[at]) > 1))
    return at[np.append(0, ends + 1)], at[np.append(ends, len(at) - 1)] + 1


def after_gaps(ordinal: Instants) -> Instants:
    """Indices of the bars that follow a gap; `ordinal` (n,) is strictly ascending."""
    if not len(ordinal) or ordinal[-1] - ordinal[0] == len(ordinal) - 1:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.diff(ordinal) > 1) + 1


def dead(idle: Mask, ordinal: Instants, longest: int) -> Mask:
    """The bars under `idle`, those without trade, that form segments of more than `longest` bars."""
    mask = np.zeros(len(idle), dtype=bool)
    if idle.sum() > longest:
        for first, stop in zip(*segments(idle, ordinal), strict=True):
            mask[first:stop] = stop - first > longest
    return mask


def repeated(x: Columns) -> Mask:
    """Bars of blocks of at least REPEATED_BARS bars that occur at two times with the same values: both blocks.

    Bars without trade or without range are often equal and never count.
    """
    mask = np.zeros(len(x.ts), dtype=bool)
    key = _fingerprints(x)
    half = (key >> np.uint64(32)).astype(np.uint32)  # sorts twice as fast; few bars share it by chance
    ordered = np.sort(half)
    shared = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(shared):
        return mask
    at = np.flatnonzero(np.isin(half, shared))
    at = at[np.argsort(key[at], kind="stable")]
    same = np.flatnonzero(key[at[1:]] == key[at[:-1]])
    same = same[_traded(x, at[same]) & _equal(x, at[same], at[same + 1])]
    lag = np.zeros(len(key), dtype=np.int64)
    lag[at[same]] = at[same + 1] - at[same]
    edges = np.flatnonzero(np.diff(lag, prepend=0, append=0))
    for first, stop in pairwise(edges):
        if lag[first] and stop - first >= REPEATED_BARS:
            mask[first:stop] = mask[first + lag[first] : stop + lag[first]] = True
    return mask


def _fingerprints(x: Columns) -> NDArray[np.uint64]:
    """A number for each bar, equal for equal bars. The factor is an arbitrary odd number (64-bit golden ratio)."""
    bits = [np.ascontiguousarray(column).view(np.uint64) for column in (x.close, x.open, x.vol)]
    golden = np.uint64(0x9E3779B97F4A7C15)
    key: NDArray[np.uint64] = (bits[0] * golden ^ bits[1]) * golden ^ bits[2]
    idle = (x.vol == 0) | (x.high == x.low)
    if idle.any():
        key[idle] = np.arange(idle.sum(), dtype=np.uint64) * golden
    return key


def _traded(x: Columns, at: Instants) -> Mask:
    return (x.vol[at] > 0) & (x.high[at] > x.low[at])


def _equal(x: Columns, first: Instants, second: Instants) -> Mask:
    mask: Mask = np.logical_and.reduce([column[first] == column[second] for column in x[1:6]])
    return mask


def frozen(x: Columns, ordinal: Instants, max_gap: float) -> Mask:
    """Bars saved before they closed, in a market that never closes.

    Each bar of such a market opens near the previous close. A bar is frozen if the distance from its close to the next
    open is more than JOINT_FACTOR times the usual distance of this market and more than JOINT_FLOOR of the usual range,
    and if the bar has less volume than usual or the distance is very large. Bars next to a gap or a pause, jumps above
    `max_gap`, markets with regular pauses and the last bar are never frozen.
    """
    n = len(x.ts)
    if n < 2:
        return np.zeros(n, dtype=bool)
    step = np.append(np.abs(x.open[1:] - x.close[:-1]), 0.0)  # (n,) distance from the close to the next open
    off = step / x.close
    (ranges,) = _ranked((x.high - x.low) / x.low, 0.5)
    if off.max() <= JOINT_FLOOR * ranges.min():  # the common case
        return np.zeros(n, dtype=bool)
    usual = _usual(off, ranges, x.vol)
    bars = np.full(len(usual), BLOCK)
    bars[-1] += n - bars.sum()  # the rest belongs to the last block
    limit = np.maximum(JOINT_FLOOR * usual[:, 1], JOINT_FACTOR * usual[:, 0])
    mask: Mask = off > np.repeat(limit, bars)
    if not mask.any():
        return mask
    _, range_usual, vol_usual = np.repeat(usual.T, bars, axis=1)
    mask &= (x.vol < vol_usual) | (off > JOINT_STRONG * range_usual)
    beside = after_gaps(ordinal)
    quiet = still(x)
    mask[:-1] &= ~quiet[:-1] & ~quiet[1:]
    mask[beside - 1] = mask[beside] = False
    mask[jumps(x, ordinal, max_gap) - 1] = False
    mask &= step > TICKS * _tick(x)
    return mask


def _usual(off: Values, ranges: Values, vol: Values) -> Values:
    """(blocks, 3): upper quartile of `off`, median range, median volume; a block after a break has those before it.

    `off` and `vol` belong to bars (n,), `ranges` to blocks. If more than one bar in twenty of a block has no volume, the
    market is not continuous and the block's range is NaN.
    """
    (distance,) = _ranked(off, 0.75)
    least, volume = _ranked(vol, 0.05, 0.5)
    usual: Values = np.stack([distance, np.where(least > 0, ranges, np.nan), volume], axis=1)
    for block in np.flatnonzero(_breaks(usual[1:].T, usual[:-1].T)) + 1:
        at = block
        while at < len(usual) and _breaks(usual[at], usual[at - 1]):
            usual[at] = usual[at - 1]
            at += 1
    return usual


def _breaks(block: Values, before: Values) -> Mask:
    """Whether blocks (distance, range, volume; …) differ so much from those before that they cannot be measured alone."""
    far: Mask = (block[0] > REGIME * before[0]) & (block[0] > JOINT_FLOOR * before[1]) & ~np.isnan(block[1])
    return far


def _ranked(values: Values, *shares: float) -> list[Values]:
    """For each share the values of that rank in each block of BLOCK bars (one shorter block if there are fewer bars)."""
    width = min(BLOCK, len(values))
    blocks = values[: len(values) // width * width].reshape(-1, width)
    ordered = np.sort(blocks, axis=1)  # vectorised in numpy, hence faster than a partition
    return [ordered[:, int(width * share)] for share in shares]


def _tick(x: Columns) -> float:
    """The smallest difference between two prices."""
    prices = np.unique(np.concatenate([x.open, x.high, x.low, x.close]))
    steps = np.diff(prices)
    steps = steps[steps > NOISE * prices[1:]]
    return float(steps.min()) if len(steps) else 0.0


def jumps(x: Columns, ordinal: Instants, max_gap: float) -> Instants:
    """Indices of bars that open |ln(open / previous close)| > `max_gap` away from their neighbour in the calendar."""
    ratio = x.open[1:] / x.close[:-1]
    at = np.flatnonzero((ratio > np.exp(max_gap)) | (ratio < np.exp(-max_gap)))
    neighbours: Instants = at[ordinal[at + 1] - ordinal[at] == 1] + 1
    return neighbours


def extreme(x: Columns, max_gap: float) -> Mask:
    """Bars whose range ln(high / low) is above `max_gap`."""
    mask: Mask = x.high > x.low * np.exp(max_gap)
    return mask


def outside_range(x: Columns) -> Mask:
    """Bars with volume and a turnover / volume outside low … high."""
    return ((x.amt < x.low * x.vol * (1 - ROUNDING)) | (x.amt > x.high * x.vol * (1 + ROUNDING))) & (x.vol > 0)


def changed_units(factor: Values, off: Mask) -> list[tuple[int, int, float]]:
    """Segments of at least UNIT_BARS bars under `off` with one factor: (first, stop, factor).

    `factor` is turnover / (volume × price) of bars with volume, (n,). Turnover of 0 is missing, not another unit.
    """
    changed = []
    for first, stop in zip(*segments(off & (factor > 0), np.arange(len(off))), strict=True):
        logs = np.log(factor[first:stop])
        middle = float(np.median(logs))
        if stop - first >= UNIT_BARS and np.median(np.abs(logs - middle)) < 0.05:
            changed.append((int(first), int(stop), round_factor(np.exp(middle))))
    return changed


def round_factor(factor: float) -> float:
    """`factor` as the power of ten within 5 % of it, else rounded to four digits."""
    power = 10.0 ** round(np.log10(factor))
    return power if abs(factor / power - 1) < 0.05 else float(f"{factor:.4g}")


def volume_steps(vol: Values) -> list[tuple[int, float]]:
    """Where volume changes its unit: (index of the first bar in the new unit, decimal digits of the step).

    A step counts if the median of log10 volume shifts by UNIT_SHIFT digits or more, over UNIT_NEAR bars and over
    UNIT_WINDOW bars on either side: the volume of real markets falls by tens, not by hundreds at once and for good.
    """
    at = np.flatnonzero(vol > 0)
    digits = np.log10(vol[at])
    if len(at) < 2 * UNIT_WINDOW or not _may_shift(digits):
        return []
    shift = _shift(digits, UNIT_WINDOW)
    near = _shift(digits, UNIT_NEAR)[UNIT_WINDOW - UNIT_NEAR :][: len(shift)]
    sure = (np.abs(shift) >= UNIT_SHIFT) & (np.abs(near) >= UNIT_SHIFT) & (shift * near > 0)
    steps = []
    for first, stop in zip(*segments(sure, np.arange(len(sure))), strict=True):
        around = np.arange(first - UNIT_NEAR, stop + UNIT_NEAR) + UNIT_WINDOW
        boundary = int(around[np.argmax(np.abs(digits[around] - digits[around - 1]))])
        steps.append((int(at[boundary]), float(shift[(first + stop) // 2])))
    return steps


def _may_shift(digits: Values) -> bool:
    """A fast check for possible steps: compares the medians of blocks with those of the next and the second next block."""
    blocks = digits[: len(digits) // UNIT_WINDOW * UNIT_WINDOW].reshape(-1, UNIT_WINDOW)
    middle = np.partition(blocks, UNIT_WINDOW // 2, axis=1)[:, UNIT_WINDOW // 2]
    tail = np.median(digits[-UNIT_WINDOW:])
    middle = np.append(middle, tail)
    return bool((np.abs(np.diff(middle)) > UNIT_HINT).any() or (np.abs(middle[2:] - middle[:-2]) > UNIT_HINT).any())


def _shift(digits: Values, width: int) -> Values:
    """Median of the `width` values from i + width on, minus that of the `width` values before, for i = 0, 1, …"""
    medians = np.median(sliding_window_view(digits, width), axis=1)
    shifts: Values = medians[width:] - medians[:-width]
    return shifts
