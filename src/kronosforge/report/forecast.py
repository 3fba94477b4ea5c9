"""The page of a forecast: the known candles, the fan of what may follow, the paths, and the model's verdict beside them."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from kronosforge.core.i18n import Message
from kronosforge.report.charts import rounded
from kronosforge.report.fan import fan
from kronosforge.report.html import (
    Column,
    Html,
    code,
    decimal,
    folded,
    join,
    note,
    number,
    paragraph,
    say,
    section,
    table,
    text,
    when,
)
from kronosforge.report.model import Model, read_model
from kronosforge.report.models import verdict
from kronosforge.report.shell import shell
from kronosforge.workspace.paths import model_page

Floats = npt.NDArray[np.float64]

SHOWN = 120  # known bars in a chart or picture
MOST_PATHS = 100  # paths in a chart; paths.parquet holds all of them
NAV = [("#series", say("Series")), ("#numbers", say("Numbers")), ("#made", say("Made with"))]
MEDIAN = 0.5


class ForecastChart(NamedTuple):
    """One series of a forecast, ready to draw."""

    key: str
    length: int  # of a bar, ms
    times: Sequence[int]  # (L,) open times of the known bars, ms UTC
    candles: Floats  # (L, 4): open, high, low, close
    ahead: Sequence[int]  # (T,) open times of the bars to come
    levels: Sequence[float]  # ascending, with 0.5 among them
    quantiles: Floats  # (levels, T) of the close
    paths: Floats  # (samples, T) of the close


def picture(chart: ForecastChart) -> str:
    """SVG of the known closes and of the fan, which needs no script."""
    history = list(zip(chart.times[-SHOWN:], chart.candles[-SHOWN:, 3].tolist(), strict=True))
    return fan(f"{chart.key}: close", history, chart.ahead, chart.quantiles.tolist())


def forecast_page(facts: Mapping[str, Any], charts: Sequence[ForecastChart], root: Path, folder: Path) -> str:
    """The page of a forecast as HTML, as it stands in `folder`: links are relative to it.

    `facts` is the content of forecast.json. The verdict is that of the model's evaluation in the workspace `root`, where
    it is of the weights that stand there.
    """
    model = read_model(root, str(facts["model"]))
    body = join(
        [
            section(
                "series", say("Series"), _note(facts), *(_figure(i, chart, facts) for i, chart in enumerate(charts))
            ),
            section("numbers", say("Numbers"), _numbers(facts)),
            section("made", say("Made with"), folded(say("Settings and weights"), _settings(facts))),
        ]
    )
    return shell(
        model.title,
        Message("Kronos forecast"),
        _verdict(model, root, folder),
        NAV,
        body,
        charts="forecast.js",
        data={"forecasts": [_payload(chart) for chart in charts]},
    )


def _verdict(model: Model, root: Path, folder: Path) -> Html:
    kind, sentence = verdict(model)
    top = paragraph(Html(f"<strong>{sentence}</strong>"), f"verdict told {kind}")
    page = model_page(root, model.name)
    if not page.is_file():
        return top
    where = quote(Path(os.path.relpath(page, folder)).as_posix())
    return top + paragraph(Html(f'<a href="{text(where)}">{say("The model and its evaluation")}</a>'))


def _note(facts: Mapping[str, Any]) -> Html:
    sentence = say(
        "{samples} paths per series, from {lookback} known bars, {horizon} bars ahead. The fan shows what the model expects, not "
        "how often it was right: that is the evaluation.",
        samples=facts["samples"],
        lookback=facts["lookback"],
        horizon=facts["horizon"],
    )
    button = Html(f'<button type="button" id="paths" aria-pressed="false">{say("Paths")}</button>')
    return note(sentence) + paragraph(button)


def _figure(index: int, chart: ForecastChart, facts: Mapping[str, Any]) -> Html:
    series = facts["series"][chart.key]
    caption = join(
        [
            say("last known bar {origin}", origin=when(series["origin"])),
            say("close {close}", close=decimal(series["last_close"], _places(series["last_close"]))),
            say("P(up) {share}", share=decimal(series["p_up"], 2)),
        ],
        " · ",
    )
    return Html(
        f"<figure><figcaption><h3>{text(chart.key)}</h3><p>{caption}</p></figcaption>"
        f'<output class="reading" aria-live="off"></output>'
        f'<div class="chart low" id="chart-{index}" data-index="{index}"></div></figure>'
    )


def _numbers(facts: Mapping[str, Any]) -> Html:
    """The quantiles of the close at the horizon."""
    levels = [str(level) for level in facts["quantiles"]]
    columns = [
        Column(say("Series"), "key"),
        Column(say("Until")),
        Column(say("Last close"), "n"),
        *(Column(text(f"q{float(level):g}"), "n") for level in levels),
        Column(say("P(up)"), "n"),
        Column(say("Repaired candles"), "n"),
    ]
    rows = [
        [
            code(key),
            when(series["times"][-1]),
            *(decimal(value, _places(series["last_close"])) for value in _closes(series, levels)),
            decimal(series["p_up"], 2),
            text("–") if facts["raw"] else number(series["violations"]["broken"]),
        ]
        for key, series in facts["series"].items()
    ]
    return table(columns, rows)


def _closes(series: Mapping[str, Any], levels: Sequence[str]) -> list[float]:
    return [series["last_close"], *(series["close"][level][-1] for level in levels)]


def _places(price: float) -> int:
    """Decimals that give a price about six digits."""
    return max(0, 5 - int(np.floor(np.log10(abs(price))))) if price else 2


def _settings(facts: Mapping[str, Any]) -> Html:
    settings = {key: value for key, value in facts.items() if key != "series"}
    return Html(f'<pre class="scroll" tabindex="0">{text(json.dumps(settings, indent=2, ensure_ascii=False))}</pre>')


def _payload(chart: ForecastChart) -> dict[str, Any]:
    """`chart` as plain JSON values for forecast.js."""
    names = ("open", "high", "low", "close")
    shown = chart.candles[-SHOWN:]
    levels = list(chart.levels)
    pairs = [(low, high) for low, high in zip(levels, reversed(levels), strict=True) if low < min(MEDIAN, high)]
    row = {level: rounded(values) for level, values in zip(levels, chart.quantiles, strict=True)}
    return {
        "key": chart.key,
        "slot": chart.length,
        "ts": list(chart.times[-SHOWN:]),
        **{name: rounded(shown[:, i]) for i, name in enumerate(names)},
        "ahead": list(chart.ahead),
        "median": row[MEDIAN],
        "bands": [
            {
                "name": Message("{share:g} %", share=100 * (high - low)).both(),
                "kind": "core" if i else "band",
                "lower": row[low],
                "upper": row[high],
            }
            for i, (low, high) in enumerate(pairs)
        ],
        "paths": [rounded(path) for path in chart.paths[:MOST_PATHS]],
    }
