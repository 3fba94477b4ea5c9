"""What a run is about: which stretch of which series, where it goes, and whether it may. Needs no network."""

import json
from pathlib import Path
from typing import NamedTuple

from kronosforge.config import ModelConfig
from kronosforge.core.bars import Series, Span, instant
from kronosforge.core.errors import ExistsError, UsageError
from kronosforge.core.i18n import tr

# The embedded exchange's clock stands still, so that a demo gives the same dataset on every machine and day.
SANDBOX_CLOCK = "2026-01-01T00:00:00Z"


def wanted(config: ModelConfig, now: int) -> dict[Series, Span]:
    """The span of each series: its newest `records_per_timeframe` finished bars at `now`, or since … until.

    N records are N bar slots ending at the newest finished bar: where the venue has holes, fewer candles come back.
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
                tr(
                    f"{series}: no finished bar between since and until; the newest one closes at or before the clock",
                    f"{series}:since 与 until 之间没有已收盘的K线",
                )
            )
        spans[series] = Span(start, stop)
    return spans


class Places(NamedTuple):
    """Where a model's data lies. All absolute."""

    root: Path
    dataset: Path
    copy: Path | None  # Kronos' own data folder, None with --no-copy

    @property
    def candles(self) -> Path:
        """The store's root."""
        return self.root / "data" / "candles"


def places(config: ModelConfig, root: Path, kronos: str | None, copy: bool) -> Places:
    """Resolve the config's folders: relative ones mean the workspace, so every current folder gives the same result."""
    checkout = root / (kronos or "Kronos")
    return Places(root, (root / config.dataset_path).resolve(), checkout / "finetune" / "data" if copy else None)


def shown(where: Places) -> str:
    """The dataset's folder as people write it: relative to the workspace where it lies inside."""
    inside = where.dataset.is_relative_to(where.root)
    return where.dataset.relative_to(where.root).as_posix() if inside else str(where.dataset)


def guard(folder: Path, config: ModelConfig, *, force: bool) -> None:
    """Raise UsageError where `folder` must not be replaced: another model's dataset ever, the model's own without `force`."""
    summary = folder / "data_summary.json"
    if not summary.exists():
        foreign = [name for name in ("train_data.pkl", "val_data.pkl", "test_data.pkl") if (folder / name).exists()]
        if foreign and not force:
            raise UsageError(
                tr(
                    f"{folder} holds {', '.join(foreign)} without a summary; --force replaces, --output-dir goes elsewhere",
                    f"{folder} 中有 {', '.join(foreign)} 但没有摘要;--force 覆盖,--output-dir 换目录",
                )
            )
        return
    owner = _owner(summary)
    if owner not in (config.name, config.model_name):
        raise UsageError(
            tr(
                f"{folder} holds the dataset of {owner or 'an unknown model'}, not of {config.name}; "
                "choose another --output-dir",
                f"{folder} 是 {owner or '未知模型'} 的数据集,不属于 {config.name};请换一个 --output-dir",
            )
        )
    if not force:
        raise ExistsError(
            tr(
                f"{folder} already holds a dataset of {config.name}; --force replaces it, --output-dir goes elsewhere",
                f"{folder} 已有 {config.name} 的数据集;--force 覆盖,--output-dir 换目录",
            )
        )


def _owner(summary: Path) -> str:
    try:
        content = json.loads(summary.read_text("utf-8"))
        return str(content.get("config", {}).get("name") or content["model_name"])
    except (OSError, ValueError, KeyError, AttributeError):
        return ""
