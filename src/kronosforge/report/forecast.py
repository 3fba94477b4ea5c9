"""The page of a forecast: the known candles, the fan of what may follow, the paths, and the model's verdict beside them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kronosforge.core.i18n import Message
from kronosforge.report.charts import rounded
from kronosforge.report.fan import fan
from kronosforge.report.html import page
from kronosforge.report.model import read_model
from kronosforge.report.models import address, verdict
from kronosforge.workspace.paths import model_page

Floats = npt.NDArray[np.float64]

SHOWN = 120  # known bars in a chart or picture
MOST_PATHS = 100  # paths in a chart; paths.parquet holds all of them
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
    path = model_page(root, model.name)
    settings = {key: value for key, value in facts.items() if key != "series"}
    return page(
        "forecast.html",
        model.title,
        Message("Kronos forecast"),
        back=address(path, folder) if path.is_file() else "",
        draw="forecast.js",
        data={"forecasts": [_payload(chart) for chart in charts]},
        facts=facts,
        verdict=verdict(model),
        drawn=[(chart.key, facts["series"][chart.key]) for chart in charts],
        levels=[str(level) for level in facts["quantiles"]],
        places={key: _places(series["last_close"]) for key, series in facts["series"].items()},
        settings=json.dumps(settings, indent=2, ensure_ascii=False),
    )


def _places(price: float) -> int:
    """Decimals that give a price about six digits."""
    return max(0, 5 - int(np.floor(np.log10(abs(price))))) if price else 2


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
