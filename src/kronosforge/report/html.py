"""Pages and pictures from templates. A page is one HTML file that needs nothing but a browser, in both languages."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from kronosforge.core.bars import iso
from kronosforge.core.i18n import LANGUAGES, Message, MessageList
from kronosforge.report.figures import finite
from kronosforge.report.model import dig

# Messages of the scripts, with the placeholders that they fill.
SCRIPT_MESSAGES = {
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


def page(
    template: str,
    name: str | Message,
    kind: Message,
    *,
    back: str = "",
    draw: str = "",
    data: Mapping[str, Any] = MappingProxyType({}),
    **values: Any,
) -> str:
    """The page called `name` from `template`, which extends base.html and shows `values`.

    `back` is the address of the page above this one. `draw` is the script that draws `data`; without it the page carries
    no chart library.
    """
    names = ("page.js", "charts.js", draw) if draw else ("page.js", "chartless.js")
    library = [_file("vendor/uPlot.iife.min.js")] if draw else []
    own = "".join(_file(f"templates/{name}") for name in names)
    scripts = [_script(source) for source in (*library, f'"use strict";\n(() => {{\n{own}}})();\n')]
    messages = {key: message.both() for key, message in SCRIPT_MESSAGES.items()}
    return render(
        template,
        title=f"{name.message if isinstance(name, Message) else name} · {kind.message}",
        name=name,
        kind=kind,
        back=back,
        css=Markup(_file("templates/page.css") + (_file("vendor/uPlot.min.css") if draw else "")),
        scripts=scripts,
        digests=Markup(" ").join(map(_digest, scripts)),
        data=_json({"words": messages, **data}),
        charts=bool(draw),
        **values,
    )


def render(template: str, **values: Any) -> str:
    """`template` with `values`; a message among them is shown in every language."""
    return TEMPLATES.get_template(template).render(values)


def say(message: str | Message, /, **values: object) -> Markup:
    """The message in every language; the page shows the reader's. A value that is Markup keeps its elements."""
    message = Message(message, **values) if isinstance(message, str) else message
    return _spans({language: _filled(message, language) for language in LANGUAGES})


def bilingual(value: object) -> Markup:
    """A message, or a text that a stage left: one string for both languages, or {en, zh}."""
    if isinstance(value, Message):
        return say(value)
    if isinstance(value, Mapping):
        return _spans({language: escape(value.get(language, "")) for language in LANGUAGES})
    return escape(value)


def number(value: int) -> str:
    """`5,056`."""
    return f"{value:,}"


def decimal(value: object, places: int, factor: float = 1) -> str:
    """`−1,234.50`; `–` where there is no finite number."""
    return f"{factor * value:,.{places}f}".replace("-", "−") if finite(value) else "–"


def when(value: int | str | None) -> Markup:
    """`2026-01-31 16:00`, UTC as everywhere on the page; from ISO 8601 or ms. `–` for None."""
    if value is None:
        return Markup("–")
    stamp = iso(value) if isinstance(value, int) else value
    return Markup("<time>{}</time>").format(stamp.replace("T", " ").removesuffix("Z").removesuffix("+00:00"))


def _filled(message: Message, language: str) -> Markup:
    if isinstance(message, MessageList) or not message.values:
        return escape(message.translated(language))
    return escape(message.template(language)).format(**message.values_in(language))  # escapes what is not Markup


def _spans(texts: Mapping[str, Markup]) -> Markup:
    span = Markup('<span lang="{}">{}</span>')
    return Markup("").join(span.format(language, content) for language, content in texts.items())


def _json(value: object) -> Markup:
    """JSON that cannot end the element it stands in; null where a number is not finite."""
    try:
        content = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        content = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    return Markup(content.replace("<", "\\u003c"))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _file(name: str) -> str:
    """A script or a style sheet; vendor/ holds uPlot (MIT) and its licence."""
    return files("kronosforge.report").joinpath(name).read_text("utf-8")


def _script(source: str) -> Markup:
    """JavaScript that cannot end the element it stands in."""
    return Markup(source.replace("</script", "<\\/script"))


def _digest(script: str) -> Markup:
    """The Content-Security-Policy source that allows exactly this script."""
    return Markup(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("kronosforge.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: say(value) if isinstance(value, Message) else value,
    )
    environment.globals |= {"say": say, "bilingual": bilingual, "dig": dig}
    environment.filters |= {"number": number, "decimal": decimal, "when": when}
    environment.tests["finite"] = finite
    return environment


TEMPLATES = _environment()
