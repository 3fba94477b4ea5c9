"""The protocol of every source of candles. One file per venue; `tests/contracts/` holds the contract tests."""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

import polars as pl

from kronosforge.core.bars import Series, Span


class Batch(NamedTuple):
    """A response of the source: all its candles inside `span`."""

    span: Span
    candles: pl.DataFrame  # candles.SCHEMA; finished bars inside `span`, ascending
    oldest: bool = False  # True where the source has nothing before `span`


class Cost(NamedTuple):
    """What a download costs at the venue's rate limit."""

    pages: int
    seconds: float


class Source(Protocol):
    """Where candles come from.

    A source yields only finished candles: confirmed by the venue and closed on the venue's own clock. It retries
    network failures a bounded number of times, then raises SourceError.
    """

    venue: str
    """Folder of the store: `okx`, `binance`, … Two addresses whose candles may differ have two names."""

    stored: bool
    """False where the source is a local folder, whose candles need no store."""

    async def now(self) -> int:
        """The venue's clock, ms."""
        ...

    def fetch(self, series: Series, span: Span) -> AsyncIterator[Batch]:
        """Everything the venue has inside `span`, in adjacent batches from newest to oldest.

        The spans of the batches together are `span`, unless a batch is marked `oldest`: then nothing is before it.
        Raises SourceError; NoDataError for an instrument that the venue does not know.
        """
        ...

    def cost(self, series: Series, span: Span, now: int) -> Cost:
        """The pages and the seconds that `fetch` takes at the rate limit. Needs no network."""
        ...

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        ...
