"""One model, the stages in order: source → store → clean → split → dataset → report."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from kronosforge.clean import Cleaned, SessionGaps, calendar_advice, clean
from kronosforge.config import ModelConfig
from kronosforge.core.bars import Series, iso
from kronosforge.core.candles import PROVENANCES
from kronosforge.core.coroutines import run
from kronosforge.core.digests import json_bytes
from kronosforge.core.errors import DataError, ExistsError
from kronosforge.core.files import interrupted, publishing, recover
from kronosforge.core.i18n import _, localized
from kronosforge.core.locks import locked, reading
from kronosforge.dataset import DatasetWriter, Written, hand_over
from kronosforge.dataset.manifest import seal, summarise
from kronosforge.report import SeriesChart, address, aggregate, write_report
from kronosforge.split import Cuts, Windows, check_windows, cuts, total
from kronosforge.store import Store
from kronosforge.workflows.existing import existing, refuse_other_model
from kronosforge.workflows.fetch import Collected, Progress, collect, opened, shortfall_warnings
from kronosforge.workflows.pages import write_pages
from kronosforge.workspace.loading import environment
from kronosforge.workspace.paths import (
    DATASET_FILES,
    MANIFEST,
    REPORT,
    DatasetFolders,
    dataset_folders,
    model_page,
    workspace_root,
)

T = TypeVar("T")
AHEAD = 2  # series that are read and cleaned while one is written; each is in memory
PRINTED = ("model_name", "output_directory", "fingerprint", "files", "windows", "warnings", "series")
CHARTS = 12  # series drawn in the report; the tables hold all of them


class PreparedDataset(NamedTuple):
    """A finished dataset: its folder, the copy for Kronos if there is one, and the content of `data_summary.json`."""

    folder: Path
    copy: Path | None
    summary: dict[str, Any]
    kept: bool = False  # True where it stood already, made with the same settings

    def as_json(self) -> dict[str, Any]:
        """What `prepare --json` prints."""
        return {key: self.summary[key] for key in PRINTED} | {"kept": self.kept}


class Content(NamedTuple):
    """What the summary and the report say of the series that were written."""

    charts: list[SeriesChart]
    facts: dict[str, Any]  # by name
    windows: dict[Series, Windows]
    gaps: dict[Series, SessionGaps]  # of those that look like sessions without a calendar
    digests: dict[str, str]  # SHA-256 of the pickles, by name


def prepare(
    config: ModelConfig,
    where: DatasetFolders | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    force: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
    replace: Callable[[ExistsError], bool] = lambda error: False,
) -> PreparedDataset:
    """Fetch the candles of `config` and make its dataset of them.

    `where` defaults to the workspace around the current folder, `environ` to the process's environment over the
    workspace's `.env`. A dataset made with the same settings is kept; one made with others stands until the new one is
    whole, and is replaced only with `force`, or where `replace`, which
    is called with the error that names the differences, returns True. With `strict` a warning is an error, and nothing is written. Raises UsageError
    where a dataset may not be replaced, SourceError where candles cannot be fetched, DataError where they are not fit for
    the dataset.
    """
    root = where.root if where else workspace_root()
    environ = environment(str(root)) if environ is None else environ
    where = where or dataset_folders(config, root, environ)
    _finish_interrupted(where)
    if where.dataset.exists():  # before anything is fetched, and beside trainings that read it
        try:
            with reading(where.dataset, _named(where)):
                if kept := _kept(config, where, force=force, strict=strict):
                    return kept
        except ExistsError as error:
            if not replace(error):
                raise
            force = True
    collected, venue = run(_collect(config, where, environ, progress))
    newest = max(span.stop for span in collected.spans.values())
    origin = {"name": config.source.name, "venue": venue, "clock": iso(newest)}
    with _writing(where):
        recover(where.dataset, MANIFEST, DATASET_FILES)
        if kept := _kept(config, where, force=force, strict=strict):  # another process made it meanwhile
            return kept
        with publishing(where.dataset, MANIFEST, DATASET_FILES) as staging:
            summary = build(config, collected, staging, folder=where.shown, origin=origin, back=_back(config, where))
            if strict:
                refuse_warnings(summary["warnings"])
        _copy(where)
    write_pages([config], where.root)
    return PreparedDataset(where.dataset, where.copy, summary)


async def _collect(
    config: ModelConfig, where: DatasetFolders, environ: Mapping[str, str], progress: Progress | None
) -> tuple[Collected, str]:
    """The candles of `config`, and the venue that they come from."""
    async with opened(config.source, environ, where.root) as source:
        return await collect(config, source, Store(where.candles), progress), source.venue


def is_prepared(config: ModelConfig, where: DatasetFolders) -> bool:
    """Whether a finished dataset stands that was made with the settings of `config`. Raises as `prepare` for any other."""
    _finish_interrupted(where)
    if not where.dataset.exists():
        return False
    with reading(where.dataset, _named(where)):
        return existing(where.dataset, config) is not None


def _finish_interrupted(where: DatasetFolders) -> None:
    """Finish the dataset that a killed process had written whole."""
    if interrupted(where.dataset):
        with _writing(where):
            recover(where.dataset, MANIFEST, DATASET_FILES)


def _writing(where: DatasetFolders) -> AbstractContextManager[None]:
    return locked(where.dataset, _named(where))


def _named(where: DatasetFolders) -> str:
    return _("the dataset {name}", name=where.dataset.name)


def _kept(config: ModelConfig, where: DatasetFolders, *, force: bool, strict: bool) -> PreparedDataset | None:
    """The dataset that stands, where it is what `config` asks for, its copy for Kronos refreshed. Call it under a lock.

    None where there is none, or where `force` replaces it. Raises UsageError where it may not be replaced.
    """
    if force:
        refuse_other_model(where.dataset, config)
        return None
    manifest = existing(where.dataset, config)
    if manifest is None:
        return None
    if strict:
        refuse_warnings(manifest.warnings)
    _copy(where)
    return PreparedDataset(where.dataset, where.copy, manifest.content, kept=True)


def _back(config: ModelConfig, where: DatasetFolders) -> str:
    """The address of the model's page on the dataset's; "" for a dataset that lies outside of the workspace."""
    inside = where.dataset.is_relative_to(where.root)
    return address(model_page(where.root, config.name), where.dataset) if inside else ""


def _copy(where: DatasetFolders) -> None:
    if where.copy:
        hand_over(where.dataset, where.copy)


def refuse_warnings(warnings: Sequence[Mapping[str, str] | str]) -> None:
    """Raise DataError where there is a warning: what --strict asks for."""
    if warnings:
        texts = [text if isinstance(text, str) else localized(text) for text in warnings]
        raise DataError(_("--strict refuses warnings: ") + "; ".join(texts))


def build(
    config: ModelConfig,
    collected: Collected,
    staging: Path,
    *,
    folder: str,
    origin: Mapping[str, Any],
    back: str = "",
) -> dict[str, Any]:
    """Write the dataset of what was collected into `staging`, manifest last, and return the manifest.

    `back` is the address of the model's page on the dataset's.
    """
    instants = cuts(((series, collected.times(series)) for series in collected.spans), config.split)
    content = _write_series(config, collected, staging, instants)
    warnings = shortfall_warnings(collected.shortfalls)
    warnings += check_windows(content.windows, config.split, config.dataset.window, calendar_advice(content.gaps))
    summary = seal(
        summarise(
            config,
            folder=folder,
            source=origin,
            cuts={"train_end": iso(instants.train_end), "val_end": iso(instants.val_end)},
            series=content.facts,
            windows=total(content.windows.values()),
            warnings=[text.both() for text in warnings],
        ),
        staging,
        content.digests,
    )
    write_report(summary, content.charts, staging / REPORT, back)
    summary = seal(summary, staging)
    (staging / MANIFEST).write_bytes(json_bytes(summary))
    return summary


def _write_series(config: ModelConfig, collected: Collected, staging: Path, instants: Cuts) -> Content:
    """Clean and write every series into `staging`, a few of them in memory at a time."""

    def cleaned_of(series: Series) -> Cleaned:
        return clean(collected.read(series), series, collected.spans[series], config.clean)

    content = Content([], {}, {}, {}, {})
    with DatasetWriter(staging, instants, config.dataset.window) as writer:
        for series, cleaned in _ahead(cleaned_of, collected.spans):
            written = writer.add(series, cleaned.candles)
            content.facts[str(series)] = _facts(cleaned, written)
            content.windows[series] = written.windows
            if cleaned.session_gaps:
                content.gaps[series] = cleaned.session_gaps
            if len(content.charts) < CHARTS:
                content.charts.append(aggregate(series, cleaned.candles, [gap.span for gap in cleaned.gaps]))
        writer.finish()
        content.digests.update(writer.digests)
    return content


def _ahead(work: Callable[[Series], T], series: Iterable[Series]) -> Iterator[tuple[Series, T]]:
    """Each of `series` with its `work`, in order; the next ones are worked on meanwhile."""
    with ThreadPoolExecutor(AHEAD) as threads:
        waiting = deque[tuple[Series, Future[T]]]()
        for key in series:
            waiting.append((key, threads.submit(work, key)))
            if len(waiting) > AHEAD:
                first, job = waiting.popleft()
                yield first, job.result()
        for first, job in waiting:
            yield first, job.result()


def _facts(cleaned: Cleaned, written: Written) -> dict[str, Any]:
    """What the summary says of one series."""
    candles = cleaned.candles
    provenance = candles["provenance"].to_physical().to_numpy()
    return {
        "rows": len(candles),
        "first": iso(candles["ts"][0]) if len(candles) else None,
        "last": iso(candles["ts"][-1]) if len(candles) else None,
        "segments": int(candles["segment"][-1]) if len(candles) else 0,  # numbered from 1, without a gap
        "windows": written.windows,
        "bars_in_no_window": written.bars_in_no_window,
        "provenance": {name: int(np.count_nonzero(provenance == code)) for code, name in enumerate(PROVENANCES)},
        "gaps": [
            {"start": iso(gap.span.start), "stop": iso(gap.span.stop), "bars": gap.bars, "kind": gap.kind}
            for gap in cleaned.gaps
        ],
        "findings": [
            {
                "kind": finding.kind,
                "count": finding.count,
                "action": finding.action,
                "examples": list(finding.examples),
                "text": finding.texts,
            }
            for finding in cleaned.findings
        ],
    }
