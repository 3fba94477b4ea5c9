"""One HTML page per dataset that needs nothing but a browser: no network, no server, the same bytes for the same data."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from kronosforge.bars import instant
from kronosforge.files import write_atomic
from kronosforge.report import sections
from kronosforge.report.charts import SeriesChart, payload
from kronosforge.report.html import join, text
from kronosforge.report.provenance import provenance
from kronosforge.report.verdict import verdict


def write_report(summary: Mapping[str, Any], charts: Sequence[SeriesChart], path: Path) -> None:
    """Write the page at `path`, atomically.

    `summary` is what stands in data_summary.json. At most `sections.MOST_CHARTS` of the charts are drawn, the first
    ones; the tables hold every series. Raises DiskError.
    """
    write_atomic(path, render(summary, charts).encode())


def render(summary: Mapping[str, Any], charts: Sequence[SeriesChart]) -> str:
    """The page. Neither clock nor locale nor the order of a set reaches it; it carries both languages."""
    drawn = charts[: sections.MOST_CHARTS]
    data = {"cuts": _cuts(summary), "series": [payload(chart) for chart in drawn]}
    scripts = [_script(_plotly()), _script(_template("page.js"))]
    return Template(_template("page.html")).substitute(
        name=text(summary.get("model_name", "")),
        hashes=" ".join(_digest(script) for script in scripts),
        css=_template("page.css"),
        verdict=verdict(summary),
        body=join(
            [
                sections.asked(summary),
                sections.charts(drawn, summary),
                sections.windows(summary),
                sections.findings(summary),
                sections.holes(summary),
                provenance(summary),
            ]
        ),
        data=_json(data),
        plotly=scripts[0],
        script=scripts[1],
    )


def _cuts(summary: Mapping[str, Any]) -> list[int]:
    cuts = summary.get("cuts", {})
    return [instant(cuts[name]) for name in ("train_end", "val_end") if name in cuts]


def _json(value: object) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _template(name: str) -> str:
    return files("kronosforge.report").joinpath("template", name).read_text("utf-8")


def _plotly() -> str:
    return files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")


def _script(source: str) -> str:
    """JavaScript that cannot end the element it stands in."""
    return source.replace("</script", "<\\/script")


def _digest(script: str) -> str:
    """The Content-Security-Policy source that allows exactly this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
