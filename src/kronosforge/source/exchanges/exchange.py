"""What all exchanges share: the clock, the walk through history, and the cost of a download."""

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import aclosing
from urllib.parse import urlsplit

from kronosforge.core.addresses import is_http
from kronosforge.core.bars import HONG_KONG, Series, Span
from kronosforge.core.errors import ConfigError, NoDataError
from kronosforge.core.i18n import _
from kronosforge.source.base import Batch, Cost
from kronosforge.source.exchanges.pages import Pages
from kronosforge.source.exchanges.transport import Transport
from kronosforge.source.exchanges.walk import walk


class ExchangeSource(ABC):
    """A source behind a `Transport`. Subclasses request the time and pages, and estimate their cost."""

    stored = True

    def __init__(self, venue: str, transport: Transport) -> None:
        self.venue = venue
        self.transport = transport
        self._ahead: float | None = None  # the venue's clock minus this machine's, ms

    @abstractmethod
    async def clock(self) -> int:
        """The venue's clock as it reports it, ms."""

    @abstractmethod
    async def pages(self, series: Series) -> Pages:
        """The pages of `series`. Raises NoDataError for an instrument that it does not know."""

    @abstractmethod
    def cost(self, series: Series, span: Span, now: int) -> Cost:
        """See `Source`."""

    async def now(self) -> int:
        """The venue's clock, ms: requested once, then advanced by this machine's monotonic clock.

        It is late by the response's travel time, never early. Raises SourceError.
        """
        if self._ahead is None:
            answer = await self.clock()
            self._ahead = answer - time.monotonic() * 1000
        return int(time.monotonic() * 1000 + self._ahead)

    async def fetch(self, series: Series, span: Span) -> AsyncIterator[Batch]:
        """See `Source`; a span that reaches into bars that are not finished yet is cut there."""
        now = await self.now()
        async with aclosing(walk(await self.pages(series), span, now)) as batches:
            async for batch in batches:
                yield batch

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        await self.transport.close()


def pages_of(bars: int, limit: int) -> int:
    """How many pages of `limit` rows the walk takes for `bars` bars: each repeats one row of the page before."""
    return -(-bars // (limit - 1)) if bars else 0


def place(name: str, home: str, url: str | None) -> tuple[str, str]:
    """(venue, address): `name` at the exchange's own address `home`, `name@host_port` elsewhere.

    Candles of two addresses may differ, so they never share a folder of the store. Raises ConfigError.
    """
    address = (url or home).rstrip("/")
    if not is_http(address):
        raise ConfigError(_("source.url (KRONOS_OKX_URL): not an http(s) address; use one such as https://eea.okx.com"))
    parts = urlsplit(address)
    if address == home:
        return name, address
    return f"{name}@{parts.hostname}" + (f"_{parts.port}" if parts.port else ""), address


def unknown(venue: str, instrument: str) -> NoDataError:
    """The error for an instrument that the venue does not list."""
    return NoDataError(
        _(
            "{venue} does not list the instrument {instrument}; check the spelling and whether it was delisted",
            venue=venue,
            instrument=instrument,
        )
    )


def refuse_hong_kong(venue: str, series: Series) -> None:
    """Raise ConfigError where `series` asks for UTC+8 days of a venue that has none."""
    if series.bar.hong_kong:
        plain = series.bar.code.removesuffix(HONG_KONG)
        raise ConfigError(
            _(
                "{series}: {venue} has only UTC days; use {instrument}_{plain}",
                series=series,
                venue=venue,
                instrument=series.instrument,
                plain=plain,
            )
        )
