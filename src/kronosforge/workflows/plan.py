"""The dry run: what `prepare` would fetch and write, from the config and the store alone. No network, nothing written."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kronosforge.clean import Cleaned, calendar_advice, clean
from kronosforge.clean import expected as due
from kronosforge.config import ALWAYS_OPEN, ModelConfig
from kronosforge.core.bars import Bar, Series, Span, instant, iso
from kronosforge.core.coroutines import run
from kronosforge.core.errors import KronosForgeError
from kronosforge.core.files import interrupted
from kronosforge.core.i18n import Message, _
from kronosforge.source.base import Source
from kronosforge.split import Timeline, check_windows, count, cuts, expected_windows, total
from kronosforge.store import Store
from kronosforge.workflows.existing import existing
from kronosforge.workflows.fetch import (
    SANDBOX_CLOCK,
    Collected,
    local,
    opened,
    shortfall_warnings,
    stored_shortfalls,
    wanted,
)
from kronosforge.workspace.paths import DATASET_FILES, MANIFEST, DatasetFolders


class _Outlook(NamedTuple):
    """What can be told of a model's series before `prepare` runs."""

    spans: Mapping[Series, Span]
    bars: Mapping[Series, int]
    windows: Mapping[Series, Mapping[str, int]]  # split → windows
    warnings: list[Message]


def plan(config: ModelConfig, where: DatasetFolders, environ: Mapping[str, str]) -> dict[str, Any]:
    """The plan as JSON: per series its span, bars, what is held, pages and seconds; windows per split; files; warnings.

    The clock is this machine's, unless the source's stands still. Candles of a folder are read and cleaned, so that
    windows and warnings are those that `prepare` gives. Of an exchange, every bar that the series' calendar has is
    expected to come. Raises DataError where a split would be left without a window, and as `prepare` does for files.
    """
    return run(_plan(config, where, environ))


async def _plan(config: ModelConfig, where: DatasetFolders, environ: Mapping[str, str]) -> dict[str, Any]:
    now = instant(SANDBOX_CLOCK) if config.source.name == "sandbox" else time.time_ns() // 1_000_000
    store = Store(where.candles)
    async with opened(config.source, environ, where.root, start=False) as source:
        if source.stored:
            outlook = _of_exchange(config, store, source.venue, wanted(config, now))
        else:
            outlook = _of_files(config, await local(config, source))
    facts = {str(series): _series(config, outlook, source, store, series, now) for series in outlook.spans}
    writes = [where.dataset / name for name in (*DATASET_FILES, MANIFEST)] + ([where.copy] if where.copy else [])
    return {
        "model_name": config.model_name,
        "source": source.venue,
        "clock": iso(now),
        "series": facts,
        "seconds": round(sum(own["seconds"] for own in facts.values()), 1),
        "windows": total(outlook.windows.values()),
        "warnings": [str(text) for text in outlook.warnings],
        "writes": [str(path) for path in writes],
        "exists": _standing(config, where),
    }


def _of_exchange(config: ModelConfig, store: Store, venue: str, spans: Mapping[Series, Span]) -> _Outlook:
    """As if every bar came that is due by the calendar and not before the listing, as far as the store knows it."""
    shortfalls = stored_shortfalls(config, store, venue, spans)
    timelines = {}
    for series, span in spans.items():
        start = shortfalls[series].first if series in shortfalls else span.start
        timelines[series] = _due(config.clean.calendar_of(series), series.bar, Span(start, span.stop))
    windows = expected_windows(timelines, config.split, config.dataset.window)
    warnings = shortfall_warnings(shortfalls) + check_windows(windows, config.split, config.dataset.window)
    return _Outlook(
        spans, {series: int(timeline.bars.sum()) for series, timeline in timelines.items()}, windows, warnings
    )


def _of_files(config: ModelConfig, collected: Collected) -> _Outlook:
    """What `prepare` would make of files that are here."""
    window = config.dataset.window
    at = cuts(((series, collected.times(series)) for series in collected.spans), config.split)
    windows, gaps = {}, {}
    for series, span in collected.spans.items():
        cleaned = clean(collected.read(series), series, span, config.clean)
        windows[series] = _windows(cleaned, at.slices(cleaned.candles["ts"].to_numpy(), series.bar.length), window)
        if cleaned.session_gaps:
            gaps[series] = cleaned.session_gaps
    warnings = shortfall_warnings(collected.shortfalls)
    warnings += check_windows(windows, config.split, window, calendar_advice(gaps))
    bars = {series: len(collected.times(series)) for series in collected.spans}
    return _Outlook(collected.spans, bars, windows, warnings)


def _windows(cleaned: Cleaned, parts: Mapping[str, slice], window: int) -> dict[str, int]:
    """Split → windows in the segments of its rows, `parts`."""
    segment = cleaned.candles["segment"].to_numpy()
    return {split: count(np.unique(segment[part], return_counts=True)[1], window) for split, part in parts.items()}


def _due(calendar: str, bar: Bar, span: Span) -> Timeline:
    """The bars that are due inside `span`. A market that never closes needs no list of them."""
    return Timeline.full(bar, span) if calendar == ALWAYS_OPEN else Timeline.of(due(calendar, bar, span), bar.length)


def _series(
    config: ModelConfig, outlook: _Outlook, source: Source, store: Store, series: Series, now: int
) -> dict[str, Any]:
    span, bars = outlook.spans[series], outlook.bars[series]
    missing = store.missing(source.venue, series, span) if source.stored else []
    costs = [source.cost(series, gap, now) for gap in missing]
    to_fetch = sum(int(_due(config.clean.calendar_of(series), series.bar, gap).bars.sum()) for gap in missing)
    return {
        "from": iso(span.start),
        "to": iso(span.stop),
        "bars": bars,
        "held": bars - to_fetch,
        "pages": sum(cost.pages for cost in costs),
        "seconds": round(sum(cost.seconds for cost in costs), 1),
        "windows": dict(outlook.windows[series]),
    }


def _standing(config: ModelConfig, where: DatasetFolders) -> str:
    """What `prepare` would say of the dataset that stands there: kept, or why it may not be replaced; empty for none."""
    if interrupted(where.dataset):
        return _("{dataset} holds a dataset whose writing was interrupted; prepare finishes it", dataset=where.dataset)
    try:
        kept = existing(where.dataset, config)
    except KronosForgeError as error:
        return str(error)
    if kept is None:
        return ""
    return _(
        "{dataset} holds a dataset made with these settings and is kept; use --force to recreate it",
        dataset=where.dataset,
    )
