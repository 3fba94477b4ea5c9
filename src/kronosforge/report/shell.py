"""What all pages are: one HTML file that needs nothing but a browser, in both languages, the same bytes for the same data."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Any

from kronosforge.core.i18n import Message
from kronosforge.report.html import Html, join, say, text

CHARTLESS = "start();\n"  # instead of the script that draws

# What the scripts say, with the placeholders that they fill.
WORDS = {
    "point": Message("Point at the chart to read its values; drag to zoom in, double-click to zoom out."),
    "tap": Message("Tap the chart to read its values."),
    "label": Message(
        "Candlestick chart of {key} with volume and turnover; the numbers per split are in the table of windows."
    ),
    "joined": Message("each candle shows up to {bars} bars"),
    "single": Message("each candle is one bar"),
    "price": Message("price"),
    "vol": Message("volume"),
    "amt": Message("turnover"),
    "train": Message("train"),
    "val": Message("validation"),
    "test": Message("test"),
    "open": Message("open"),
    "high": Message("high"),
    "low": Message("low"),
    "close": Message("close"),
    "median": Message("median"),
    "known": Message("last known"),
    "fan": Message(
        "Chart of {key}: the known candles, then quantiles of the forecast's closes; the numbers are in the table."
    ),
}


def shell(
    name: str,
    kind: Message,
    top: Html,
    nav: Sequence[tuple[str, Html]],
    body: Html,
    *,
    charts: str = "",
    data: Any = None,
) -> str:
    """The page called `name`. `top` stands above the links `nav`, (address, words), and `body` below them.

    `charts` is the template's script that draws `data`; without it the page carries no chart library.
    """
    script = _template("page.js") + (_template("charts.js") + _template(charts) if charts else CHARTLESS)
    scripts = [_script(_vendored("uPlot.iife.min.js"))] * bool(charts)
    scripts.append(_script(f'"use strict";\n(() => {{\n{script}}})();\n'))
    return Template(_template("page.html")).substitute(
        name=text(name),
        title=text(kind.message),
        kind=say(kind),
        hashes=" ".join(_digest(one) for one in scripts),
        css=_template("page.css") + (_vendored("uPlot.min.css") if charts else ""),
        footer=say("All times are UTC; a bar is named by its open time."),
        top=top,
        nav=join((Html(f'<a href="{text(where)}">{words}</a>') for where, words in nav), "\n"),
        body=body,
        data=_json({"words": {name: word.both() for name, word in WORDS.items()}, **(data or {})}),
        scripts=join([_NOSCRIPT] * bool(charts) + [Html(f"<script>{one}</script>") for one in scripts], "\n"),
    )


_NOSCRIPT = Html(
    f"<noscript><p>{say('The charts need JavaScript; everything else is here without it.')}</p></noscript>"
)


def _json(value: object) -> str:
    """JSON that cannot end the element it stands in; null where a number is not finite."""
    try:
        spelled = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        spelled = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    return spelled.replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _template(name: str) -> str:
    return files("kronosforge.report").joinpath("template", name).read_text("utf-8")


def _vendored(name: str) -> str:
    """A file of uPlot (MIT), whose licence lies beside it."""
    return files("kronosforge.report").joinpath("vendor", name).read_text("utf-8")


def _script(source: str) -> str:
    """JavaScript that cannot end the element it stands in."""
    return source.replace("</script", "<\\/script")


def _digest(script: str) -> str:
    """The Content-Security-Policy source that allows exactly this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
