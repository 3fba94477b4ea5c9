"""The page of a forecast, and its pictures: the last known closes and the fan of what may follow."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kronosforge.core.i18n import _
from kronosforge.report.fan import fan
from kronosforge.report.html import Html, join, text

SHOWN = 120  # bars of history in a picture

STYLE = (
    "body{font:16px/1.6 sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "figure{margin:1.5rem 0}svg{width:100%;height:auto;border:1px solid #e4e1da}pre{overflow:auto}"
)


def picture(key: str, times: Sequence[int], closes: Sequence[float], ahead: list[int], bands: list[list[float]]) -> str:
    """An SVG of the series `key`: known closes at `times`, then a line per quantile over the open times `ahead`, all ms."""
    history = list(zip(times[-SHOWN:], closes[-SHOWN:], strict=True))
    return fan(f"{key}: close", history, ahead, bands)


def forecast_page(facts: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """The page of what forecast.json says, as HTML; `pictures` are SVGs."""
    title = text(f"{facts['model']}: {_('forecast')}")
    note = _(
        "{samples} paths a series, {lookback} bars seen, {horizon} ahead; line: median, bands: "
        "quantiles {quantiles}. A fan shows what the model believes, not what it has been right "
        "about: see the evaluation.",
        samples=facts["samples"],
        lookback=facts["lookback"],
        horizon=facts["horizon"],
        quantiles=facts["quantiles"],
    )
    figures = join(Html(f"<figure>{svg}</figure>") for svg in pictures.values())
    provenance = text(json.dumps({k: v for k, v in facts.items() if k != "series"}, indent=2, ensure_ascii=False))
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style></head>"
        f"<body><h1>{title}</h1><p>{text(note)}</p>{figures}<details><summary>{text(_('made with'))}"
        f"</summary><pre>{provenance}</pre></details></body></html>\n"
    )
