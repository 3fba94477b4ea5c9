"""When bars are due: every bar of the clock, or the bars of an exchange's sessions.

Bars are counted by ordinals: two bars are neighbours where their ordinals differ by one, be it over a weekend.
"""

from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kronosforge.bars import Bar, Span

Instants = NDArray[np.int64]  # ms
Mask = NDArray[np.bool_]

ALWAYS = "24/7"


class Grid(Protocol):
    """The bars that are due, as numbered places in time."""

    continuous: bool
    """True where the market never closes, so that each bar opens where the one before closed."""

    def place(self, ts: Instants) -> tuple[Instants, Mask]:
        """The ordinal of each instant, and whether a bar is due there. Ordinals elsewhere mean nothing."""
        ...

    def at(self, ordinal: Instants) -> Instants:
        """The open times of due bars, by their ordinals."""
        ...

    def due(self, span: Span) -> Instants:
        """The open times due inside `span`, ascending."""
        ...

    def count(self, span: Span) -> int:
        """How many bars are due inside `span`."""
        ...


class Always:
    """A market that never closes: bars open at offset + k × length; the ordinal is k."""

    continuous = True

    def __init__(self, bar: Bar) -> None:
        self.bar = bar

    def place(self, ts: Instants) -> tuple[Instants, Mask]:
        ordinal = (ts - self.bar.offset) // self.bar.length
        return ordinal, self.at(ordinal) == ts

    def at(self, ordinal: Instants) -> Instants:
        return ordinal * self.bar.length + self.bar.offset

    def due(self, span: Span) -> Instants:
        return np.arange(self.bar.ceil(span.start), span.stop, self.bar.length, dtype=np.int64)

    def count(self, span: Span) -> int:
        return span.bars(self.bar)


def grid(name: str, bar: Bar, span: Span) -> Grid:
    """The grid of the calendar `name`: `24/7`, or a calendar of exchange_calendars.

    Raises ConfigError for an unknown calendar, or a bar that has no meaning in it.
    """
    if name == ALWAYS:
        return Always(bar)
    # exchange_calendars brings pandas (about a second): only who trades by sessions waits for it.
    sessions: Grid = import_module("kronosforge.clean.sessions").Sessions(name, bar, span)
    return sessions


def expected(name: str, bar: Bar, span: Span) -> Instants:
    """Open times due inside `span` by the calendar `name`, ascending int64 ms.

    With sessions, a daily bar stands at 00:00 UTC of its session date; intraday bars step from the session's open, and
    again from the end of the lunch break, so that the last bar before a break or a close may be shorter.
    Raises ConfigError as `grid` does. Beyond the years that the calendar knows, nothing is due.
    """
    return grid(name, bar, span).due(span)
