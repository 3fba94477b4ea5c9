"""Known bars as arrays, and the rules that they keep: those of the cleaning stage, which refuses or drops the same bars."""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from kronosforge.clean.checks import BROKEN, Columns, broken
from kronosforge.clean.findings import KINDS, shown
from kronosforge.core.bars import iso
from kronosforge.core.candles import FEATURES
from kronosforge.core.errors import DataError, UsageError
from kronosforge.core.i18n import tr

Instants = npt.NDArray[np.int64]  # ms UTC
Values = npt.NDArray[np.float64]

LEAST = 2  # bars: a single one has no spread to scale by


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
    if lookback is not None and lookback < LEAST:
        raise UsageError(
            tr(
                f"lookback is {lookback}; it must be at least {LEAST} bars",
                f"lookback 为 {lookback};至少须为 {LEAST} 根K线",
            )
        )


def check(key: str, times: Instants, values: Values, needed: int) -> None:
    """Raise DataError where bars are too few, out of order, or no candles by the rules of cleaning."""
    _check_order(key, times)
    if len(times) < needed:
        raise DataError(
            tr(
                f"{key}: {len(times)} bars, and {needed} are needed",
                f"{key}:只有 {len(times)} 根K线,需要 {needed} 根",
            )
        )
    _check_candles(key, times, values)


def _check_order(key: str, times: Instants) -> None:
    wrong = np.flatnonzero(np.diff(times) <= 0)
    if len(wrong):
        before, after = (iso(int(time)) for time in times[wrong[0] : wrong[0] + 2])
        raise DataError(
            tr(
                f"{key}: times must ascend, each once; {after} follows {before}. Sort the rows and drop duplicates",
                f"{key}:时间须递增且不重复;{before} 之后是 {after}。请排序并去重",
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
        tr(
            f"{key}: {kind.english} × {count}, the first is {example}. Correct these bars, or start after them; "
            "kronosforge prepare drops them",
            f"{key}:{kind.chinese} × {count},首个为 {example}。请修正这些K线,或从其后开始;kronosforge prepare 会去除它们",
        )
    )
