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
# Where a calendar sets no bounds of its own, these keep a span such as "since 0001" from making a million sessions.
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
            # exchange_calendars 4 calls what pandas 3.1 deprecates, which is none of a user's business.
            warnings.simplefilter("ignore", DeprecationWarning)
            opens = _opens(name, bar.length, _years(name, span))
        self.opens = opens[(opens >= span.start) & (opens < span.stop)]

    def place(self, ts: Instants) -> tuple[Instants, Mask]:
        ordinal = np.searchsorted(self.opens, ts)
        inside = ordinal < len(self.opens)
        due = np.zeros(len(ts), dtype=bool)
        due[inside] = self.opens[ordinal[inside]] == ts[inside]
        return ordinal, due

    def at(self, ordinal: Instants) -> Instants:
        return self.opens[ordinal]

    def due(self, span: Span) -> Instants:
        return self.opens[(self.opens >= span.start) & (self.opens < span.stop)]

    def count(self, span: Span) -> int:
        return len(self.due(span))


def _years(name: str, span: Span) -> Span:
    """The whole years around `span` that the calendar knows: many series share them. May be empty."""
    recorded = _recorded(name)
    # A session may open on the day before its date.
    first, last = max(span.start - DAY, recorded.start), min(span.stop + DAY, recorded.stop)
    if first >= last:
        return Span(0, 0)
    return Span(
        max(instant(f"{iso(first)[:4]}-01-01"), recorded.start), min(instant(f"{iso(last)[:4]}-12-31"), recorded.stop)
    )


@lru_cache
def _recorded(name: str) -> Span:
    """The first and the last day for which the calendar is recorded."""
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
    """Opens of the bars of each stretch of trading: a session, or each half of one with a lunch break."""
    opens, closes, pause, resume = (
        getattr(calendar, f"{event}_nanos") for event in ("opens", "closes", "break_starts", "break_ends")
    )
    paused = pause != NO_BREAK
    start = np.concatenate([opens, resume[paused]]) // NS
    stop = np.concatenate([np.where(paused, pause, closes), closes[paused]]) // NS
    bars = -((start - stop) // length)  # rounded up: the last bar may be shorter
    nth = np.arange(bars.sum()) - np.repeat(np.cumsum(bars) - bars, bars)
    return np.sort(np.repeat(start, bars) + nth * length)
