"""One HTML page per dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kronosforge.core.bars import instant
from kronosforge.core.files import write_atomic
from kronosforge.core.i18n import Message
from kronosforge.report import sections
from kronosforge.report.charts import SeriesChart, payload
from kronosforge.report.html import join, say
from kronosforge.report.provenance import provenance
from kronosforge.report.shell import shell
from kronosforge.report.verdict import verdict

NAV = [
    ("#asked", say("Asked")),
    ("#series", say("Series")),
    ("#windows", say("Windows")),
    ("#findings", say("Findings")),
    ("#holes", say("Holes")),
    ("#provenance", say("Provenance")),
]


def write_report(summary: Mapping[str, Any], charts: Sequence[SeriesChart], path: Path) -> None:
    """Write the page at `path`, atomically.

    `summary` is what stands in data_summary.json. At most `sections.MOST_CHARTS` of the charts are drawn, the first
    ones; the tables hold every series. Raises DiskError.
    """
    write_atomic(path, render(summary, charts).encode())


def render(summary: Mapping[str, Any], charts: Sequence[SeriesChart]) -> str:
    """The page. Neither clock nor locale nor the order of a set reaches it; it carries both languages."""
    drawn = charts[: sections.MOST_CHARTS]
    body = join(
        [
            sections.asked(summary),
            sections.charts(drawn, summary),
            sections.windows(summary),
            sections.findings(summary),
            sections.holes(summary),
            provenance(summary),
        ]
    )
    return shell(
        str(summary.get("model_name", "")),
        Message("Kronos dataset"),
        verdict(summary),
        NAV,
        body,
        charts="candles.js",
        data={"cuts": _cuts(summary), "series": [payload(chart) for chart in drawn]},
    )


def _cuts(summary: Mapping[str, Any]) -> list[int]:
    cuts = summary.get("cuts", {})
    return [instant(cuts[name]) for name in ("train_end", "val_end") if name in cuts]
