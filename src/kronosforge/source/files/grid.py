"""From a file's times to open times; checks that its rows are bars of the size in its name."""

import numpy as np
import numpy.typing as npt
import polars as pl

from kronosforge.core.bars import DAY, LENGTHS, Bar, iso
from kronosforge.core.i18n import Message
from kronosforge.source.files.formats import Table
from kronosforge.source.files.names import anchored
from kronosforge.source.files.times import Times

Instants = npt.NDArray[np.int64]

# A market that never closes has every weekday in a seventh of its rows; an exchange's rare Saturday stays below this.
_RARE_WEEKDAY = 0.05


def opens(table: Table, times: Times, bar: Bar, label: str) -> pl.Series:
    """Open times, ms UTC; null where a row has no time. `label` is `close` where times name a bar's end.

    A day of an exchange that closes at night is named by its date, 00:00 UTC, whatever its own offset; `label` does not
    move it, nor any other date without a time of day. Raises SourceError where the rows are not bars of this size.
    """
    if _are_sessions(times, bar):
        ts = times.wall
    elif label == "close" and not (times.dates and bar.length >= DAY):
        ts = times.ts - bar.length
    else:
        ts = times.ts
    _check(table, ts, bar)
    return ts


def _are_sessions(times: Times, bar: Bar) -> bool:
    """True for days at local midnight, off the UTC day, on which a weekday never or hardly ever trades.

    The days of a market that never closes are 24 hours from such a midnight: calling them UTC days would be wrong.
    """
    wall = times.wall.drop_nulls().to_numpy()
    on_utc_days = not (times.ts.drop_nulls().to_numpy() % DAY).any()
    if bar.length < DAY or bar.hong_kong or on_utc_days or len(wall) < 7 or (wall % DAY).any():
        return False
    weekdays = np.bincount(wall // DAY % 7, minlength=7)
    return bool(weekdays.min() < _RARE_WEEKDAY * len(wall))


def _check(table: Table, ts: pl.Series, bar: Bar) -> None:
    """Refuse a file whose rows are another bar. Single rows off the grid are left to the clean stage."""
    instants = ts.drop_nulls().unique().sort().to_numpy()
    if not len(instants):
        raise table.refuse(0, Message("no row has a time; fill in the time column"))
    if _fit(instants, bar):
        return
    first, match = ", ".join(iso(int(t)) for t in instants[:3]), _match(instants)
    advice = Message("check source.label and source.timezone")
    if match:
        advice = Message("they are {match}; request that bar or rename the file", match=match)
    raise table.refuse(
        0,
        Message(
            "its rows, which open at {first}, …, are not {code} bars; {advice}",
            first=first,
            code=bar.code,
            advice=advice,
        ),
    )


def _fit(instants: Instants, bar: Bar) -> bool:
    """Whether most rows are a bar or more apart, some exactly one bar, and their days open when those of the bar do."""
    steps = np.diff(instants)
    shorter, longer = steps < bar.length, steps > bar.length
    if len(steps) > 1 and (2 * shorter.sum() > len(steps) or longer.all()):
        return False
    # Bars of a session step from the exchange's own open, such as 09:30: only its calendar knows which are due.
    return 2 * _on(instants, bar) > len(instants) or (bar.length < DAY and _match(instants) is None)


def _on(instants: Instants, bar: Bar) -> int:
    return int(((instants - bar.offset) % bar.length == 0).sum())


def _match(instants: Instants) -> str | None:
    """The largest bar whose grid holds nine of ten rows, two of them next to each other."""
    for code in reversed(LENGTHS):
        for bar in anchored(code):
            if 10 * _on(instants, bar) >= 9 * len(instants) and (np.diff(instants) == bar.length).any():
                return bar.code
    return None
