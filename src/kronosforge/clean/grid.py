"""Bars numbered by ordinals: two bars are neighbours if their ordinals differ by one, even across a weekend."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kronosforge.core.bars import Bar, Span

Instants = NDArray[np.int64]  # ms
Mask = NDArray[np.bool_]


class Grid(Protocol):
    """The bars that are due, numbered in the order of time."""

    continuous: bool
    """True if the market never closes, so that each bar opens when the previous one closes."""

    def locate(self, ts: Instants) -> tuple[Instants, Mask]:
        """The ordinal of each instant, and whether a bar is due there. The ordinals of other instants are meaningless."""
        ...

    def opens(self, ordinal: Instants) -> Instants:
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

    def locate(self, ts: Instants) -> tuple[Instants, Mask]:
        ordinal = (ts - self.bar.offset) // self.bar.length
        return ordinal, self.opens(ordinal) == ts

    def opens(self, ordinal: Instants) -> Instants:
        return ordinal * self.bar.length + self.bar.offset

    def due(self, span: Span) -> Instants:
        return np.arange(self.bar.ceil(span.start), span.stop, self.bar.length, dtype=np.int64)

    def count(self, span: Span) -> int:
        return span.bars(self.bar)
