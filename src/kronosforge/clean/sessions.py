"""Bars of markets that close: sessions, lunch breaks and early closes, from exchange_calendars."""

import warnings
from functools import lru_cache

import exchange_calendars
import numpy as np
from exchange_calendars import ExchangeCalendar
from exchange_calendars.errors import InvalidCalendarName

from kronosforge.clean.grid import Instants, Mask
from kronosforge.core.bars import DAY, Bar, Span, instant, iso
from kronosforge.core.errors import ConfigError
from kronosforge.core.i18n import _

NS = 1_000_000  # ns in a ms
NO_BREAK = np.iinfo(np.int64).min  # numpy's NaT
# Bounds of calendars that have none of their own: a span such as "since 0001" would have a million sessions.
EARLIEST, LATEST = instant("1950-01-01"), instant("2100-01-01")


class Sessions:
    """The bars of one exchange inside `span`; the ordinal counts them from 0.

    Source: exchange_calendars, `ExchangeCalendar.opens_nanos` and its like, UTC.
    """

    continuous = False

    def __init__(self, name: str, bar: Bar, span: Span) -> None:
        if bar.length > DAY or bar.hong_kong:
            raise ConfigError(
                _(
                    "clean.calendar: {name!r} has sessions, and {code} bars are not bars of a session; "
                    "allowed: 1m … 12H, 1D",
                    name=name,
                    code=bar.code,
                )
            )
        with warnings.catch_warnings():
            # exchange_calendars 4 calls functions that pandas 3.1 deprecates, which a user cannot change.
            warnings.simplefilter("ignore", DeprecationWarning)
            opens = _opens(name, bar.length, _years(name, span))
        self._opens = opens[(opens >= span.start) & (opens < span.stop)]

    def locate(self, ts: Instants) -> tuple[Instants, Mask]:
        ordinal = np.searchsorted(self._opens, ts)
        inside = ordinal < len(self._opens)
        due = np.zeros(len(ts), dtype=bool)
        due[inside] = self._opens[ordinal[inside]] == ts[inside]
        return ordinal, due

    def opens(self, ordinal: Instants) -> Instants:
        return self._opens[ordinal]

    def due(self, span: Span) -> Instants:
        return self._opens[(self._opens >= span.start) & (self._opens < span.stop)]

    def count(self, span: Span) -> int:
        return len(self.due(span))


def _years(name: str, span: Span) -> Span:
    """The whole years around `span` that the calendar covers, so that many series share them. May be empty."""
    covered = _covered(name)
    # A session may open on the day before its date.
    first, last = max(span.start - DAY, covered.start), min(span.stop + DAY, covered.stop)
    if first >= last:
        return Span(0, 0)
    return Span(
        max(instant(f"{iso(first)[:4]}-01-01"), covered.start), min(instant(f"{iso(last)[:4]}-12-31"), covered.stop)
    )


@lru_cache
def _covered(name: str) -> Span:
    """The first and the last day that the calendar covers."""
    try:
        calendar = exchange_calendars.get_calendar(name)
    except InvalidCalendarName:
        raise ConfigError(
            _(
                "clean.calendar: unknown calendar {name!r}; allowed: 24/7, or a name of "
                "exchange_calendars such as XSHG (Shanghai and Shenzhen), XHKG, XNYS, XNAS, XLON, XTKS",
                name=name,
            )
        ) from None
    first, last = calendar.bound_min(), calendar.bound_max()
    return Span(
        EARLIEST if first is None else first.value // NS,
        LATEST if last is None else last.value // NS,
    )


@lru_cache(8)
def _opens(name: str, length: int, years: Span) -> Instants:
    """Open times of every bar of the sessions from the first to the last day of `years`."""
    if not years:
        return np.empty(0, np.int64)
    calendar = exchange_calendars.get_calendar(name, start=iso(years.start)[:10], end=iso(years.stop)[:10])
    return calendar.sessions_nanos // NS if length == DAY else _intraday(calendar, length)


def _intraday(calendar: ExchangeCalendar, length: int) -> Instants:
    """Open times of the bars of each trading period: a session, or each half of one with a lunch break."""
    opens, closes, pause, resume = (
        getattr(calendar, f"{event}_nanos") for event in ("opens", "closes", "break_starts", "break_ends")
    )
    paused = pause != NO_BREAK
    start = np.concatenate([opens, resume[paused]]) // NS
    stop = np.concatenate([np.where(paused, pause, closes), closes[paused]]) // NS
    bars = -((start - stop) // length)  # rounded up: the last bar may be shorter
    index = np.arange(bars.sum()) - np.repeat(np.cumsum(bars) - bars, bars)  # of each bar in its period
    return np.sort(np.repeat(start, bars) + index * length)
