"""The newest finished candles of a model's series, fetched where they are missing, and when its next bars open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kronosforge.clean import SessionGaps, calendar_advice, clean
from kronosforge.clean.calendar import upcoming
from kronosforge.config import ALWAYS_OPEN, ModelConfig, SourceConfig
from kronosforge.core.bars import Series, instant, iso, until
from kronosforge.core.candles import FEATURES
from kronosforge.core.coroutines import run
from kronosforge.core.errors import DataError, UsageError
from kronosforge.core.i18n import Message, _
from kronosforge.dataset.manifest import read_manifest
from kronosforge.store import Store
from kronosforge.workflows.fetch import collect, opened
from kronosforge.workspace.overrides import Resolved
from kronosforge.workspace.paths import MANIFEST, dataset_folder
from kronosforge.workspace.paths import candles as candles_folder

SPARE = 20  # bars asked for besides, so that a dropped one does not make the history too short
SESSIONS = 12  # clock slots per due bar of a market with sessions, at most: Shanghai has 1,200 of 10,080 minutes a week


class Recent(NamedTuple):
    """What is known of a series, and what comes."""

    times: NDArray[np.int64]  # (L,), open times, ms UTC
    values: NDArray[np.float64]  # (L, 6), Kronos' order
    ahead: NDArray[np.int64]  # (horizon,), the open times to come


def with_dataset_source(resolved: Resolved, root: Path) -> ModelConfig:
    """The config with the source of its dataset, where neither the command line nor the environment names a source.

    Without a dataset the config stays as it is. `source.proxy`, timeouts and credentials are always the config's own:
    they describe this machine and not the candles. Raises DataError for a damaged summary.
    """
    config = resolved.config
    summary = dataset_folder(config, root) / MANIFEST
    if "source.name" in resolved.overridden or not summary.exists():
        return config
    recorded = _recorded_source(summary.parent, config.name)
    keys = ["name", "label", "timezone"]
    same_exchange = recorded["name"] == config.source.name
    if not (same_exchange and "source.url" in resolved.overridden) and "***@" not in (recorded["url"] or ""):
        keys.append("url")  # a password in it was masked when the summary was written
    source = config.source.model_copy(update={key: recorded[key] for key in keys})
    return config.model_copy(update={"source": source})


def _recorded_source(dataset: Path, model: str) -> dict[str, Any]:
    """The section `source` of the config that the dataset in a folder was made with."""
    summary, recorded = dataset / MANIFEST, read_manifest(dataset, model).config.get("source")
    try:
        return SourceConfig.model_validate(recorded).model_dump()
    except ValueError:
        raise DataError(
            _(
                "{summary} does not say where the dataset came from; prepare the dataset again, or give --source",
                summary=summary,
            )
        ) from None


def recent(
    config: ModelConfig, root: Path, environ: Mapping[str, str], *, bars: int, horizon: int, at: str | None = None
) -> dict[Series, Recent]:
    """The newest `bars` candles of each series that are finished at `at`, a time or `now` (the default).

    Raises ConfigError where `at` is not a time, SourceError where candles cannot be fetched, DataError where a series has
    fewer without a gap.
    """
    return run(_recent(config, root, environ, bars, horizon, at))


async def _recent(
    config: ModelConfig, root: Path, environ: Mapping[str, str], bars: int, horizon: int, at: str | None
) -> dict[Series, Recent]:
    has_sessions = any(config.clean.calendar_of(series) != ALWAYS_OPEN for series in config.series)
    slots = (bars + SPARE) * (SESSIONS if has_sessions else 1)
    end = until(at) if at else config.until
    asked = config.model_copy(update={"records_per_timeframe": slots, "since": None, "until": end})
    async with opened(config.source, environ, root) as source:
        if at and end and instant(end) > (now := await source.now()):
            raise UsageError(
                _(
                    "--at {at} is in the future: the newest candles are of {now}; leave --at out to forecast from them",
                    at=at,
                    now=iso(now),
                )
            )
        collected = await collect(asked, source, Store(candles_folder(root)))
    rules = config.clean.model_copy(update={"max_bad_share": 0.5})  # of a short history, one bad bar is a large share
    newest = {}
    for series, span in collected.spans.items():
        cleaned = clean(collected.read(series), series, span, rules)
        candles = cleaned.candles.filter(pl.col("segment") == pl.col("segment").max()).tail(bars)
        if len(candles) < bars:
            raise _too_short(series, len(candles), bars, cleaned.session_gaps)
        times = candles["ts"].cast(pl.Int64).to_numpy()
        values = candles.select(FEATURES).to_numpy()
        ahead = upcoming(config.clean.calendar_of(series), series.bar, int(times[-1]), horizon)
        newest[series] = Recent(times, values, ahead)
    return newest


def _too_short(series: Series, available: int, bars: int, gaps: SessionGaps | None) -> DataError:
    advice = Message("take another --at, or wait until the gap is far enough back")
    if gaps:
        advice = calendar_advice({series: gaps})[series]
    return DataError(
        _(
            "{series}: {available} bars without a gap before the forecast, and the model needs {bars}; {advice}",
            series=series,
            available=available,
            bars=bars,
            advice=advice,
        )
    )
