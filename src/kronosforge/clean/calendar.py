"""When bars are due: every bar of the clock, or the bars of an exchange's sessions."""

from kronosforge.clean.grid import Always, Grid, Instants
from kronosforge.config import ALWAYS_OPEN
from kronosforge.core.bars import DAY, Bar, Span, iso
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _

HORIZON = 4000 * DAY  # how far ahead `upcoming` searches


def grid_of(name: str, bar: Bar, span: Span) -> Grid:
    """The grid of the calendar `name`: `24/7`, or a calendar of exchange_calendars.

    Raises ConfigError for an unknown calendar, or a bar that it cannot have.
    """
    if name == ALWAYS_OPEN:
        return Always(bar)
    # exchange_calendars imports pandas, which takes about a second.
    from kronosforge.clean.sessions import Sessions  # noqa: PLC0415

    return Sessions(name, bar, span)


def expected(name: str, bar: Bar, span: Span) -> Instants:
    """Open times due inside `span` by the calendar `name`, ascending int64 ms.

    With sessions, a daily bar opens at 00:00 UTC of its session date; intraday bars step from the session's open, and
    again from the end of the lunch break, so that the last bar before a break or a close may be shorter. No bars are due
    in years that the calendar does not cover. Raises ConfigError as `grid_of` does.
    """
    return grid_of(name, bar, span).due(span)


def upcoming(name: str, bar: Bar, newest: int, count: int) -> Instants:
    """The first `count` open times after the bar that opens at `newest`, by the calendar `name`.

    Raises ConfigError as `grid_of` does, DataError if the calendar ends before.
    """
    start = newest + 1  # not a bar's length later: the last bar before a break may be shorter
    reach = (count + 1) * bar.length
    while len(due := expected(name, bar, Span(start, start + reach))) < count:
        if reach > HORIZON + count * bar.length:
            raise DataError(
                _(
                    "The calendar {name} has fewer than {count} bars of {code} after {newest}",
                    name=name,
                    count=count,
                    code=bar.code,
                    newest=iso(newest),
                )
            )
        reach = 2 * reach + DAY
    return due[:count]
