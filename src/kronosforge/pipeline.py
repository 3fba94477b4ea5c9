"""One model, the stages in order: source → store → clean → split → dataset → report."""

import asyncio
import importlib
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from kronosforge.bars import Series, Span, iso
from kronosforge.candles import ORIGINS
from kronosforge.clean import Cleaned, clean
from kronosforge.config import ModelConfig
from kronosforge.dataset import DATASET_FILES, MANIFEST, DatasetWriter, Written, hand_over
from kronosforge.errors import KronosForgeError, NoDataError
from kronosforge.files import locked, publishing
from kronosforge.listing import find_root
from kronosforge.report import SeriesChart, aggregate, write_report
from kronosforge.report.summary import seal, summarise
from kronosforge.scope import SANDBOX_CLOCK, Places, guard, places, shown, wanted
from kronosforge.source import open_source
from kronosforge.source.base import Source
from kronosforge.split import check_windows, cuts, total
from kronosforge.store import Store
from kronosforge.text import tr

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
    where: Places | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> PreparedDataset:
    """Bring `config`'s candles here and make its dataset of them.

    `where` defaults to the workspace around the current folder. An existing dataset stands until the new one is whole,
    and is replaced only with `force`. Raises UsageError where it may not be replaced, SourceError where candles cannot
    be had, DataError where they are not fit.
    """
    where = where or places(config, Path(find_root()), environ.get("KRONOS_HOME"), copy=True)
    guard(where.dataset, config, force=force)
    return asyncio.run(_prepare(config, where, environ, force=force, progress=progress))


async def _prepare(
    config: ModelConfig, where: Places, environ: Mapping[str, str], *, force: bool, progress: Progress | None
) -> PreparedDataset:
    async with opened(config, environ) as source:
        now = await source.now()
        spans = wanted(config, now)
        read = await collect(source, Store(where.candles), spans, progress)
    newest = max(span.stop for span in spans.values())
    origin = {"name": config.source.name, "venue": source.venue, "clock": iso(newest)}
    with locked(where.dataset, tr(f"the dataset {where.dataset.name}", f"数据集 {where.dataset.name}")):
        guard(where.dataset, config, force=force)
        with publishing(where.dataset, MANIFEST, DATASET_FILES) as staging:
            summary = build(config, spans, read, staging, folder=shown(where), origin=origin)
        if where.copy:
            hand_over(where.dataset, where.copy)
    return PreparedDataset(where.dataset, where.copy, summary)


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


async def collect(source: Source, store: Store, spans: Mapping[Series, Span], progress: Progress | None = None) -> Read:
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
    config: ModelConfig,
    spans: Mapping[Series, Span],
    read: Read,
    staging: Path,
    *,
    folder: str,
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the dataset of `spans` into `staging`, manifest last, one series in memory at a time."""
    window = config.dataset.window
    instants = cuts(((series, read(series)["ts"].to_numpy()) for series in spans), config.split)
    charts: list[SeriesChart] = []
    facts: dict[str, Any] = {}
    written: dict[Series, Written] = {}
    with DatasetWriter(staging, instants, window) as writer:
        for series, span in spans.items():
            cleaned = clean(read(series), series, span, config.clean)
            written[series] = writer.add(series, cleaned.candles)
            facts[str(series)] = _facts(cleaned, written[series])
            if len(charts) < CHARTS:
                charts.append(aggregate(series, cleaned.candles, [hole.span for hole in cleaned.holes]))
        writer.finish()
    windows = {series: one.windows for series, one in written.items()}
    warnings = check_windows(windows, config.split, window)
    summary = seal(
        summarise(
            config,
            folder=folder,
            source=origin,
            cuts={"train_end": iso(instants.train_end), "val_end": iso(instants.val_end)},
            series=facts,
            windows=total(windows.values()),
            warnings=[text.both() for text in warnings],
        ),
        staging,
    )
    write_report(summary, charts, staging / "report.html")
    summary = seal(summary, staging)
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
    (staging / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return summary


def _facts(cleaned: Cleaned, written: Written) -> dict[str, Any]:
    """What the summary says of one series."""
    candles = cleaned.candles
    origins = dict(candles["origin"].value_counts().sort("origin").iter_rows())
    return {
        "rows": len(candles),
        "first": iso(candles["ts"][0]) if len(candles) else None,
        "last": iso(candles["ts"][-1]) if len(candles) else None,
        "segments": candles["segment"].n_unique(),
        "windows": written.windows,
        "bars_in_no_window": written.bars_in_no_window,
        "origins": {name: origins.get(name, 0) for name in ORIGINS},
        "holes": [
            {"start": iso(hole.span.start), "stop": iso(hole.span.stop), "bars": hole.bars, "kind": hole.kind}
            for hole in cleaned.holes
        ],
        "findings": [
            {
                "kind": finding.kind,
                "count": finding.count,
                "action": finding.action,
                "examples": list(finding.examples),
                "text": finding.text.both(),
            }
            for finding in cleaned.findings
        ],
    }
