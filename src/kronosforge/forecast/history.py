"""Known bars as arrays, and the rules that they keep: those of the cleaning stage, which refuses or drops the same bars."""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from kronosforge.clean.checks import BROKEN, Columns, broken
from kronosforge.clean.findings import KINDS, shown
from kronosforge.core.bars import iso
from kronosforge.core.candles import FEATURES
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _
from kronosforge.forecast.arguments import check_whole

Instants = npt.NDArray[np.int64]  # ms UTC
Values = npt.NDArray[np.float64]

LEAST = 2  # bars: a single one has no spread to scale by
MOST = 10**9  # bars
LARGEST = 1e30  # of a value; what float32 and a sum of squares in float64 hold with room to spare


class Bars(Protocol):
    """The known bars of one series, oldest first, and when the next ones open."""

    @property
    def times(self) -> Instants:
        """Open times (L,), ms UTC."""
        ...

    @property
    def values(self) -> Values:
        """(L, 6), in Kronos' order."""
        ...

    @property
    def ahead(self) -> Instants:
        """Open times to forecast (T,), ms UTC."""
        ...


class History(NamedTuple):
    """`Bars`, as read from a frame."""

    times: Instants  # (L,)
    values: Values  # (L, 6)
    ahead: Instants  # (T,)


def check_lookback(lookback: int | None) -> None:
    """Raise UsageError for a lookback that no forecast can have."""
    if lookback is not None:
        check_whole(LEAST, MOST, lookback=lookback)


def check(key: str, times: Instants, values: Values, needed: int) -> None:
    """Raise DataError where bars are too few, out of order, or no candles by the rules of cleaning."""
    _check_order(key, times)
    if len(times) < needed:
        raise DataError(_("{key}: {count} bars, and {needed} are needed", key=key, count=len(times), needed=needed))
    _check_size(key, times, values)
    _check_candles(key, times, values)


def _check_size(key: str, times: Instants, values: Values) -> None:
    """Raise DataError for a value whose square is no number: its scale would be infinite, and every path with it."""
    rows, columns = np.nonzero(np.isfinite(values) & (np.abs(values) > LARGEST))
    if len(rows):
        raise DataError(
            _(
                "{key}: {column} is {value:g} at {time}; values above {largest:g} cannot be scaled. Check the unit",
                key=key,
                column=FEATURES[columns[0]],
                value=values[rows[0], columns[0]],
                time=iso(int(times[rows[0]])),
                largest=LARGEST,
            )
        )


def _check_order(key: str, times: Instants) -> None:
    wrong = np.flatnonzero(np.diff(times) <= 0)
    if len(wrong):
        before, after = (iso(int(time)) for time in times[wrong[0] : wrong[0] + 2])
        raise DataError(
            _(
                "{key}: times must ascend, each once; {after} follows {before}. Sort the rows and drop duplicates",
                key=key,
                after=after,
                before=before,
            )
        )


def _check_candles(key: str, times: Instants, values: Values) -> None:
    codes = broken(Columns(times, *values.T))
    rows = np.flatnonzero(codes)
    if not len(rows):
        return
    code = codes[rows[0]]
    kind, count = KINDS[BROKEN[code]], int((codes == code).sum())
    cells = {name: value if np.isfinite(value) else None for name, value in zip(FEATURES, values[rows[0]], strict=True)}
    example = shown({"ts": int(times[rows[0]]), **cells})
    raise DataError(
        _(
            "{key}: {kind} × {count}, the first is {example}. Correct these bars, or start after them; kronosforge prepare "
            "drops them",
            key=key,
            kind=kind.text,
            count=count,
            example=example,
        )
    )
