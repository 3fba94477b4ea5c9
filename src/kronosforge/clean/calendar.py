"""When bars are due: every bar of the clock, or the bars of an exchange's sessions."""

from kronosforge.clean.grid import ALWAYS, Always, Grid, Instants
from kronosforge.core.bars import Bar, Span


def grid(name: str, bar: Bar, span: Span) -> Grid:
    """The grid of the calendar `name`: `24/7`, or a calendar of exchange_calendars.

    Raises ConfigError for an unknown calendar, or a bar that has no meaning in it.
    """
    if name == ALWAYS:
        return Always(bar)
    # exchange_calendars brings pandas (about a second): only who trades by sessions waits for it.
    from kronosforge.clean.sessions import Sessions  # noqa: PLC0415

    return Sessions(name, bar, span)


def expected(name: str, bar: Bar, span: Span) -> Instants:
    """Open times due inside `span` by the calendar `name`, ascending int64 ms.

    With sessions, a daily bar stands at 00:00 UTC of its session date; intraday bars step from the session's open, and
    again from the end of the lunch break, so that the last bar before a break or a close may be shorter.
    Raises ConfigError as `grid` does. Beyond the years that the calendar knows, nothing is due.
    """
    return grid(name, bar, span).due(span)
