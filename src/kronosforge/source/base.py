"""The protocol that every source of candles speaks. One file a venue; `tests/contracts/` holds what each must keep."""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

import polars as pl

from kronosforge.core.bars import Series, Span


class Batch(NamedTuple):
    """An answer of the source: all that it has inside `span`."""

    span: Span
    candles: pl.DataFrame  # candles.SCHEMA; finished bars inside `span`, ascending
    oldest: bool = False  # True where the source has nothing before `span`


class Cost(NamedTuple):
    """What a download takes at the venue's limits."""

    pages: int
    seconds: float


class Source(Protocol):
    """Where candles come from.

    A source hands out only finished candles: confirmed by the venue, and closed on the venue's own clock. Network
    faults are its business (bounded retries); what it yields is right, and what it cannot get is a SourceError.
    """

    venue: str
    """Folder of the store: `okx`, `binance`, … Two places that may disagree have two names."""

    stored: bool
    """False where the source is a folder on this machine, whose candles need no store of ours."""

    async def now(self) -> int:
        """The venue's clock, ms."""
        ...

    def fetch(self, series: Series, span: Span) -> AsyncIterator[Batch]:
        """Everything the venue has inside `span`, in batches from newest to oldest that lie end to end.

        The spans of the batches together are `span`, unless a batch says `oldest`: then nothing is before it.
        Raises SourceError; NoDataError for an instrument that the venue does not know.
        """
        ...

    def cost(self, series: Series, span: Span, now: int) -> Cost:
        """The pages and the seconds that `fetch` takes at the rate limit. Needs no network."""
        ...

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        ...
