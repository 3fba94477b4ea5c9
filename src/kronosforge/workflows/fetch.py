"""From a source to candles that can be read series by series: through the store, or straight where the source is local."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kronosforge.config import ModelConfig, SourceConfig
from kronosforge.core.bars import Series, Span, instant, iso
from kronosforge.core.errors import KronosForgeError, NoDataError, UsageError
from kronosforge.core.i18n import Message, MessageList, _
from kronosforge.source import open_source
from kronosforge.source.base import Source
from kronosforge.store import Store

Progress = Callable[[Series, int, int], None]
"""Called with a series, the bars that are here, and the bars that are wanted."""

SHOWN = 3  # series named in a warning
EVER = Span(-(2**62), 2**62)

# The embedded exchange's clock stands still, so that a demo gives the same dataset on every machine and day.
SANDBOX_CLOCK = "2026-01-01T00:00:00Z"


class Shortfall(NamedTuple):
    """A series of which the source has less history than was asked for."""

    asked: int  # bars
    available: int  # bars
    first: int  # open time of the source's first bar, ms


class Collected(NamedTuple):
    """The candles of a model: for each series its span, and how to read it."""

    spans: dict[Series, Span]
    read: Callable[[Series], pl.DataFrame]  # candles.SCHEMA, maybe with `confirm`; as the source gave them
    times: Callable[[Series], NDArray[np.int64]]  # open times, ascending, each once
    shortfalls: Mapping[Series, Shortfall]  # of the series whose source begins later than was asked for


@asynccontextmanager
async def opened(
    config: SourceConfig, environ: Mapping[str, str], root: Path, *, start: bool = True
) -> AsyncIterator[Source]:
    """The config's source, closed on leaving. Relative folders mean `root`.

    `sandbox` starts one for the while and goes to it over HTTP like OKX; with `start` False it is not started, and only
    what needs no network can be asked.
    """
    kind, colon, folder = config.name.partition(":")
    venue = "sandbox" if config.name == "sandbox" else None
    name = "okx" if venue else f"{kind}:{root / folder}" if colon else config.name
    resolved = config.model_copy(update={"name": name})
    if venue and start:
        with importlib.import_module("kronosforge.sandbox").running(clock=SANDBOX_CLOCK) as server:
            async with _closing(
                open_source(resolved.model_copy(update={"url": server.url, "proxy": None}), environ, venue=venue)
            ) as source:
                yield source
    else:
        async with _closing(open_source(resolved, environ, venue=venue)) as source:
            yield source


@asynccontextmanager
async def _closing(source: Source) -> AsyncIterator[Source]:
    try:
        yield source
    finally:
        await source.close()


def wanted(config: ModelConfig, now: int) -> dict[Series, Span]:
    """The span of each series: its newest `records_per_timeframe` finished bars at `now`, or since … until.

    N records are N bar slots ending at the newest finished bar: where the venue has gaps, fewer candles come back.
    Raises UsageError where nothing is left.
    """
    spans = {}
    for series in config.series:
        stop = series.bar.floor(min(now, instant(config.until)) if config.until else now)
        start = (
            series.bar.ceil(instant(config.since))
            if config.since
            else stop - config.records_per_timeframe * series.bar.length
        )
        if start >= stop:
            raise UsageError(
                _(
                    "{series}: no finished bar between since and until; the newest one closes at or before the clock",
                    series=series,
                )
            )
        spans[series] = Span(start, stop)
    return spans


async def collect(config: ModelConfig, source: Source, store: Store, progress: Progress | None = None) -> Collected:
    """Bring every series of the model here, all at once under the venue's limits.

    Raises NoDataError that names the series of which there is nothing, SourceError where the source fails.
    """
    if not source.stored:
        return await local(config, source)
    spans = wanted(config, await source.now())
    await _together(store.update(source, series, span, progress) for series, span in spans.items())

    def times(series: Series) -> NDArray[np.int64]:
        return store.times(source.venue, series, spans[series])

    _refuse_nothing(source, spans, [series for series in spans if not len(times(series))])
    shortfalls = stored_shortfalls(config, store, source.venue, spans)
    return Collected(spans, lambda series: store.read(source.venue, series, spans[series]), times, shortfalls)


def stored_shortfalls(
    config: ModelConfig, store: Store, venue: str, spans: Mapping[Series, Span]
) -> dict[Series, Shortfall]:
    """The series whose first bar at the venue, as far as the store knows it, is later than the newest N records reach."""
    listings = {series: store.listing(venue, series) for series in spans}
    return {
        series: Shortfall(span.bars(series.bar), Span(first, span.stop).bars(series.bar), first)
        for series, span in spans.items()
        if not config.since and (first := listings[series]) is not None and first > span.start
    }


async def local(config: ModelConfig, source: Source) -> Collected:
    """The candles of a source that needs no store. Each series has its own newest bar; N records are its newest N rows.

    Raises NoDataError, SourceError.
    """
    frames = {series: await _all(source, series) for series in config.series}
    spans = {series: _newest(config, series, frame) for series, frame in frames.items()}
    inside = {
        series: frame.filter(pl.col("ts").is_null() | pl.col("ts").is_between(*spans[series], closed="left"))
        for series, frame in frames.items()
    }
    _refuse_nothing(source, spans, [series for series, span in spans.items() if not span])
    times = {series: _opens(frame) for series, frame in inside.items()}
    shortfalls = {
        series: Shortfall(config.records_per_timeframe, len(opens), int(opens[0]))
        for series, opens in times.items()
        if len(opens) < config.records_per_timeframe and not config.since
    }
    return Collected(spans, inside.__getitem__, times.__getitem__, shortfalls)


def shortfall_warnings(shortfalls: Mapping[Series, Shortfall]) -> list[Message]:
    """One sentence that names the series with less history than was asked for; none where there are none."""
    if not shortfalls:
        return []
    series = [
        Message(
            "{series} has {available} of {asked} bars, the first at {first}",
            series=series,
            available=shortfall.available,
            asked=shortfall.asked,
            first=iso(shortfall.first),
        )
        for series, shortfall in list(shortfalls.items())[:SHOWN]
    ]
    if rest := len(shortfalls) - len(series):
        series.append(Message("and {rest} more series", rest=rest))
    return [
        Message(
            "The source has less history than requested; all of it is used: {series}",
            series=MessageList(series, "; "),
        )
    ]


async def _all(source: Source, series: Series) -> pl.DataFrame:
    return pl.concat([batch.candles async for batch in source.fetch(series, EVER)][::-1])


def _newest(config: ModelConfig, series: Series, frame: pl.DataFrame) -> Span:
    opens = _opens(frame.filter("confirm") if "confirm" in frame.columns else frame)
    if not len(opens):
        return Span(0, 0)
    stop = int(opens[-1]) + series.bar.length
    stop = min(stop, instant(config.until)) if config.until else stop
    if config.since:
        return Span(instant(config.since), stop)
    newest = opens[opens < stop][-config.records_per_timeframe :]
    return Span(int(newest[0]), stop) if len(newest) else Span(stop, stop)


def _opens(frame: pl.DataFrame) -> NDArray[np.int64]:
    return frame["ts"].drop_nulls().unique().sort().to_numpy()


def _refuse_nothing(source: Source, spans: Mapping[Series, Span], empty: list[Series]) -> None:
    if empty:
        names = ", ".join(f"{series} in {spans[series]}" if spans[series] else str(series) for series in empty)
        raise NoDataError(
            _("{venue} has no candle of {names}; check the names and the dates", venue=source.venue, names=names)
        )


async def _together(jobs: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Run the jobs at once; the first error stops the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except* KronosForgeError as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
