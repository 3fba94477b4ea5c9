"""A dataset's page, and what the model's page shows of it."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kronosforge.core.bars import instant
from kronosforge.core.files import write_atomic
from kronosforge.core.i18n import Message
from kronosforge.report.charts import MOST_GAPS, SeriesChart, payload
from kronosforge.report.html import page

Summary = Mapping[str, Any]  # the content of data_summary.json; a key that is absent leaves its line out

MOST_CHARTS = 12  # a page of a hundred charts opens slowly and is read by nobody
MOST_ROWS = 200  # of findings, and of gaps

SPLITS = {"train": Message("train"), "val": Message("validation"), "test": Message("test")}

# What cleaning did, the most interfering first, and why bars are missing, by the names that findings and gaps have.
ACTIONS = {
    "dropped": Message("taken out"),
    "derived": Message("turnover computed again"),
    "filled": Message("filled"),
    "cut": Message("series cut there"),
    "kept": Message("kept"),
}
GAPS = {
    "venue": Message("the source has none"),
    "removed": Message("broken bars stood there"),
    "dead": Message("a long period without trade"),
}


def write_report(summary: Summary, charts: Sequence[SeriesChart], path: Path, back: str = "") -> None:
    """Write the page at `path`, atomically.

    `back` is the address of the model's page. At most `MOST_CHARTS` of the charts are drawn, the first ones; the tables
    hold every series. Raises DiskError.
    """
    write_atomic(path, render(summary, charts, back).encode())


def render(summary: Summary, charts: Sequence[SeriesChart], back: str = "") -> str:
    """The page. Neither clock nor locale nor the order of a set reaches it; it carries both languages."""
    drawn = charts[:MOST_CHARTS]
    series: Mapping[str, Any] = summary.get("series", {})
    findings = _findings(series)
    gaps = [(key, gap) for key, facts in series.items() for gap in facts.get("gaps", [])]
    origins = {key: facts.get("provenance", {}) for key, facts in series.items()}
    cuts = summary.get("cuts", {})
    return page(
        "dataset.html",
        str(summary.get("model_name", "")),
        Message("Kronos dataset"),
        back=back,
        draw="candles.js",
        data={
            "cuts": [instant(cuts[name]) for name in ("train_end", "val_end") if name in cuts],
            "series": [payload(chart) for chart in drawn],
        },
        summary=summary,
        series=series,
        instruments=list(dict.fromkeys(key.rpartition("_")[0] for key in series)),
        drawn=[(chart, chart.key.rpartition("_")[2], series.get(chart.key, {})) for chart in drawn],
        findings=findings[:MOST_ROWS],
        findings_count=len(findings),
        needs_look=bool(summary.get("warnings")) or any(finding["action"] != "kept" for _, finding in findings),
        gaps=gaps[:MOST_ROWS],
        gaps_count=len(gaps),
        altered={key: counts for key, counts in origins.items() if counts.get("derived") or counts.get("filled")},
        windows=windows_of(summary),
        command=reproduce(summary),
        config_json=json.dumps(summary.get("config", {}), indent=2, ensure_ascii=False),
        splits=SPLITS,
        actions=ACTIONS,
        kinds=GAPS,
        most=(MOST_CHARTS, MOST_ROWS, MOST_GAPS),
    )


def windows_of(summary: Summary) -> dict[str, Any]:
    """Windows per split, of all series and of each; with the counts of bars, segments and bars in no window."""
    windows = summary.get("windows", {})
    rows = [
        (key, _counts(facts), facts.get("first"), facts.get("last")) for key, facts in summary.get("series", {}).items()
    ]
    total = [sum(column) for column in zip(*(counts for _, counts, _, _ in rows), strict=True)] or [0] * 6
    counts = {split: int(windows.get(split, 0)) for split in SPLITS}
    total[2:5] = counts.values()
    return {"splits": SPLITS, "counts": counts, "rows": rows, "total": total, "cuts": summary.get("cuts", {})}


def reproduce(summary: Summary) -> str:
    """The command that gives the same candles again: the newest N bars are fixed by the clock they were asked at."""
    config, source = summary.get("config", {}), summary.get("source", {})
    since = config.get("since")
    options: dict[str, Sequence[object]] = {
        "--config": [config.get("name")],
        "--source": [source.get("name")],
        **_series_options(list(summary.get("series", {}))),
        "--records-per-timeframe": [None if since else summary.get("records_per_timeframe")],
        "--since": [since],
        "--until": [config.get("until") or source.get("clock")],
    }
    given = (f"{flag} {shlex.join(map(str, values))}" for flag, values in options.items() if all(values))
    return " ".join(("kronosforge prepare", *given))


def _counts(facts: Mapping[str, Any]) -> list[int]:
    windows = facts.get("windows", {})
    counts = (facts.get("rows", 0), facts.get("segments", 0), *(windows.get(split, 0) for split in SPLITS))
    return [*counts, facts.get("bars_in_no_window", 0)]


def _findings(series: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(series key, finding): what was interfered with most first, then the most frequent."""
    findings = [(key, finding) for key, facts in series.items() for finding in facts.get("findings", [])]
    gravity = {action: rank for rank, action in enumerate(ACTIONS)}
    return sorted(findings, key=lambda pair: (gravity.get(pair[1]["action"], 0), -pair[1]["count"]))


def _series_options(keys: Sequence[str]) -> dict[str, Sequence[object]]:
    """The flags that name `keys`, where flags can: every instrument at every bar. Other lists stand in the config."""
    pairs = [key.rpartition("_")[::2] for key in keys]
    instruments, codes = (list(dict.fromkeys(names)) for names in zip(*pairs, strict=True)) if pairs else ([], [])
    every = [(instrument, code) for instrument in instruments for code in codes]
    return {"--symbols": instruments, "--timeframes": codes} if pairs == every else {}
