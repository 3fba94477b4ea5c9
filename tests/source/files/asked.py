"""A source and a sandbox on one event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import polars as pl

from kronosforge.config import SourceConfig
from kronosforge.core.bars import Series, Span
from kronosforge.sandbox import Sandbox, Server, serve
from kronosforge.source import Source, open_source

T = TypeVar("T")


@asynccontextmanager
async def opened(sandbox: Sandbox, **knobs: Any) -> AsyncIterator[tuple[Source, Server]]:
    """The okx source at that sandbox."""
    async with serve(sandbox) as server:
        source = open_source(SourceConfig(url=server.url, **knobs), {}, venue="sandbox")
        try:
            yield source, server
        finally:
            await source.close()


def ask(sandbox: Sandbox, job: Callable[[Source], Awaitable[T]], **knobs: Any) -> T:
    """What `job` finds at that sandbox."""

    async def live() -> T:
        async with opened(sandbox, **knobs) as (source, _):
            return await job(source)

    return asyncio.run(live())


async def candles(source: Source, series: Series, span: Span) -> pl.DataFrame:
    """All that the source has inside `span`, ascending."""
    batches = [batch.candles async for batch in source.fetch(series, span)]
    return pl.concat(batches[::-1])


def fetch(sandbox: Sandbox, series: Series, span: Span, **knobs: Any) -> pl.DataFrame:
    """`candles` at that sandbox."""
    return ask(sandbox, lambda source: candles(source, series, span), **knobs)
