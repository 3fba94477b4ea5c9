"""The dry run: what `prepare` would fetch and write, from the config and the store alone. No network, nothing written."""

import time
from collections.abc import Mapping
from typing import Any

from kronosforge.config import ModelConfig
from kronosforge.core.bars import Series, Span, instant, iso
from kronosforge.core.coroutines import run
from kronosforge.core.errors import KronosForgeError
from kronosforge.core.i18n import tr
from kronosforge.dataset import DATASET_FILES
from kronosforge.source.base import Source
from kronosforge.split import check_windows, expected, total
from kronosforge.store import Store
from kronosforge.workflows.existing import existing
from kronosforge.workflows.fetch import SANDBOX_CLOCK, local, opened, wanted
from kronosforge.workspace.paths import MANIFEST, DatasetFolders


def plan(config: ModelConfig, where: DatasetFolders, environ: Mapping[str, str]) -> dict[str, Any]:
    """The plan as JSON: per series its span, bars, what is held, pages and seconds; windows per split; files; warnings.

    The clock is this machine's, unless the source's stands still. Windows are those of series without holes. Raises
    DataError where a split would be left without a window.
    """
    return run(_plan(config, where, environ))


async def _plan(config: ModelConfig, where: DatasetFolders, environ: Mapping[str, str]) -> dict[str, Any]:
    now = instant(SANDBOX_CLOCK) if config.source.name == "sandbox" else time.time_ns() // 1_000_000
    async with opened(config.source, environ, where.root, start=False) as source:
        spans = wanted(config, now) if source.stored else (await local(config, source)).spans
    store = Store(where.candles)
    series = {str(one): _series(source, store, one, span, now) for one, span in spans.items()}
    windows = expected(spans.items(), config.split, config.dataset.window)
    by_series = {one: windows[str(one)] for one in spans}
    writes = [where.dataset / name for name in (*DATASET_FILES, MANIFEST)] + ([where.copy] if where.copy else [])
    return {
        "model_name": config.model_name,
        "source": source.venue,
        "clock": iso(now),
        "series": {key: {**facts, "windows": windows[key]} for key, facts in series.items()},
        "seconds": sum(facts["seconds"] for facts in series.values()),
        "windows": total(windows.values()),
        "warnings": [str(text) for text in check_windows(by_series, config.split, config.dataset.window)],
        "writes": [str(path) for path in writes],
        "exists": _standing(config, where),
    }


def _series(source: Source, store: Store, series: Series, span: Span, now: int) -> dict[str, Any]:
    missing = store.missing(source.venue, series, span) if source.stored else []
    costs = [source.cost(series, gap, now) for gap in missing]
    return {
        "from": iso(span.start),
        "to": iso(span.stop),
        "bars": span.bars(series.bar),
        "held": span.bars(series.bar) - sum(gap.bars(series.bar) for gap in missing),
        "pages": sum(cost.pages for cost in costs),
        "seconds": sum(cost.seconds for cost in costs),
    }


def _standing(config: ModelConfig, where: DatasetFolders) -> str:
    """What `prepare` would say of the dataset that stands there: kept, or why it may not be replaced; empty for none."""
    try:
        kept = existing(where.dataset, config)
    except KronosForgeError as error:
        return str(error)
    if kept is None:
        return ""
    return tr(
        f"{where.dataset} holds a dataset made with these settings, and is kept; --force makes it anew",
        f"{where.dataset} 已有相同设置的数据集,将保留;用 --force 重新生成",
    )
