"""One model, the stages in order: source → store → clean → split → dataset → report."""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from kronosforge.bars import Series, Span, iso
from kronosforge.clean import Cleaned, clean
from kronosforge.config import ModelConfig
from kronosforge.dataset import DATASET_FILES, MANIFEST, DatasetWriter, hand_over
from kronosforge.errors import KronosForgeError, NoDataError
from kronosforge.files import locked, publishing
from kronosforge.plan import Places, guard, wanted
from kronosforge.report import SeriesChart, aggregate, write_report
from kronosforge.report.summary import file_facts, series_facts, summarise
from kronosforge.source import open_source
from kronosforge.source.base import Source
from kronosforge.split import check_windows, cuts
from kronosforge.store import Store
from kronosforge.text import tr

# The embedded exchange's clock stands still, so that a demo gives the same dataset on every machine and day.
SANDBOX_CLOCK = "2026-01-01T00:00:00Z"
CHARTS = 12  # series drawn in the report; the tables hold all of them

Progress = Callable[[Series, int, int], None]
"""Called with a series, the bars that are here, and the bars that are wanted."""
Read = Callable[[Series], pl.DataFrame]


class PreparedDataset(NamedTuple):
    """A finished dataset: its folder, the copy for Kronos if one was made, and what `data_summary.json` says."""

    folder: Path
    copy: Path | None
    summary: dict[str, Any]


def prepare(
    config: ModelConfig,
    places: Places,
    environ: Mapping[str, str],
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> PreparedDataset:
    """Bring `config`'s candles here and make its dataset of them.

    An existing dataset stands until the new one is whole, and is replaced only with `force`. Raises UsageError where it
    may not be replaced, SourceError where candles cannot be had, DataError where they are not fit.
    """
    guard(places.dataset, config, force=force)
    return asyncio.run(_prepare(config, places, environ, force=force, progress=progress))


async def _prepare(
    config: ModelConfig, places: Places, environ: Mapping[str, str], *, force: bool, progress: Progress | None
) -> PreparedDataset:
    async with opened(config, environ) as source:
        now = await source.now()
        spans = wanted(config, now)
        read = await collect(source, Store(places.candles), spans, progress)
    newest = max(span.stop for span in spans.values())
    origin = {"name": config.source.name, "venue": source.venue, "clock": iso(newest)}
    with locked(places.dataset, tr(f"the dataset {places.dataset.name}", f"数据集 {places.dataset.name}")):
        guard(places.dataset, config, force=force)
        with publishing(places.dataset, MANIFEST, DATASET_FILES) as staging:
            summary = build(config, places, spans, read, origin, staging)
        if places.copy:
            hand_over(places.dataset, places.copy)
    return PreparedDataset(places.dataset, places.copy, summary)


@asynccontextmanager
async def opened(config: ModelConfig, environ: Mapping[str, str]) -> AsyncIterator[Source]:
    """The config's source, closed on leaving; `sandbox` starts one for the while and goes to it over HTTP like OKX."""
    if config.source.name == "sandbox":
        sandbox = importlib.import_module("kronosforge.sandbox")
        with sandbox.running(clock=SANDBOX_CLOCK) as server:
            there = config.source.model_copy(update={"name": "okx", "url": server.url})
            async with _closing(open_source(there, environ, venue="sandbox")) as source:
                yield source
    else:
        async with _closing(open_source(config.source, environ)) as source:
            yield source


@asynccontextmanager
async def _closing(source: Source) -> AsyncIterator[Source]:
    try:
        yield source
    finally:
        await source.close()


async def collect(
    source: Source, store: Store, spans: Mapping[Series, Span], progress: Progress | None = None
) -> Read:
    """Bring every series here, all at once under the venue's limits, and return how to read one.

    Raises NoDataError that names the series of which there is nothing.
    """
    if not source.stored:
        frames = {series: await _straight(source, series, span) for series, span in spans.items()}
        empty = [str(series) for series, frame in frames.items() if frame.is_empty()]
        read: Read = frames.__getitem__
    else:
        await _together(store.update(source, series, span, progress) for series, span in spans.items())
        empty = [str(s) for s, span in spans.items() if not len(store.times(source.venue, s, span))]

        def read(series: Series) -> pl.DataFrame:
            return store.read(source.venue, series, spans[series])

    if empty:
        stretch = next(iter(spans.values()))
        raise NoDataError(
            tr(
                f"{source.venue} has no candle of {', '.join(empty)} in {stretch}; check the names and the dates",
                f"{source.venue} 在 {stretch} 内没有 {', '.join(empty)} 的K线;请检查名称与日期",
            )
        )
    return read


async def _straight(source: Source, series: Series, span: Span) -> pl.DataFrame:
    batches = [batch.candles async for batch in source.fetch(series, span)]
    return pl.concat(batches[::-1])


async def _together(jobs: Any) -> None:
    """Run the jobs at once; the first error stops the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except* KronosForgeError as errors:
        first = errors.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


def build(
    config: ModelConfig, places: Places, spans: Mapping[Series, Span], read: Read, origin: dict[str, Any], staging: Path
) -> dict[str, Any]:
    """Write the dataset of `spans` into `staging`, manifest last, one series in memory at a time."""
    window = config.dataset.window
    instants = cuts(((series, read(series)["ts"].to_numpy()) for series in spans), config.split)
    writer = DatasetWriter(staging, instants, window)
    charts: list[SeriesChart] = []
    facts: dict[str, Any] = {}
    for series, span in spans.items():
        cleaned = clean(read(series), series, span, config.clean)
        written = writer.add(series, cleaned.candles)
        facts[str(series)] = series_facts(cleaned, written)
        if len(charts) < CHARTS:
            charts.append(_chart(series, cleaned))
    windows = writer.finish()
    warnings = check_windows(windows, config, spans)
    summary = summarise(config, places, origin, instants, facts, windows, warnings)
    summary["files"] = file_facts(staging)
    write_report(summary, charts, staging / "report.html")
    summary["files"] = file_facts(staging)
    (staging / MANIFEST).write_text(json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    return summary


def _chart(series: Series, cleaned: Cleaned) -> SeriesChart:
    return aggregate(series, cleaned.candles, [hole.span for hole in cleaned.holes])
