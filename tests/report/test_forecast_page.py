"""The page of a forecast, in a real browser."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kronosforge.core.bars import iso
from kronosforge.report import SeriesChart, write_model_report
from kronosforge.report.forecast import ForecastChart, forecast_page, picture
from tests.browser import Chromium
from tests.report.finished import evaluated, prepared, trained
from tests.report.test_render import DRAW_ALL

LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
LOOK = {
    "charts": DRAW_ALL,
    "overflow": "document.scrollingElement.scrollWidth - innerWidth",
    "series": "document.querySelector('.chart').panels[0].series.length - 1",
    "press": "document.getElementById('paths').click()",
    "pressed": "document.getElementById('paths').getAttribute('aria-pressed')",
    "with_paths": "document.querySelector('.chart').panels[0].series.length - 1",
    "verdict": "document.querySelector('.verdict').innerText.trim()",
    "link": "document.querySelector('header a').pathname",
}


def chart_of(chart: SeriesChart, key: str | None = None) -> ForecastChart:
    """Real candles, and 20 paths of the steps that their closes took."""
    steps = np.random.default_rng(0).choice(np.diff(np.log(chart.close)), (20, 10))
    paths = chart.close[-1] * np.exp(steps.cumsum(axis=1))
    candles = np.stack([chart.open, chart.high, chart.low, chart.close], axis=1)
    ahead = [int(chart.ts[-1]) + chart.length * (bar + 1) for bar in range(10)]
    return ForecastChart(
        key or chart.key,
        chart.length,
        chart.ts.tolist(),
        candles,
        ahead,
        LEVELS,
        np.quantile(paths, LEVELS, axis=0),
        paths,
    )


def facts_of(charts: list[ForecastChart]) -> dict[str, Any]:
    """What forecast.json says of them."""
    return {
        "model": "model_a",
        "weights": {"weights": "fine-tuned"},
        "raw": False,
        "lookback": 90,
        "horizon": 10,
        "samples": 20,
        "quantiles": charts[0].levels,
        "series": {
            chart.key: {
                "origin": iso(chart.times[-1]),
                "last_close": float(chart.candles[-1, 3]),
                "times": [iso(time) for time in chart.ahead],
                "close": {str(level): row for level, row in zip(chart.levels, chart.quantiles.tolist(), strict=True)},
                "p_up": 0.55,
                "violations": {"broken": 3, "bars": 200},
            }
            for chart in charts
        },
    }


@pytest.fixture
def root(tmp_path: Path, summary: dict[str, Any]) -> Path:
    """A workspace with a model that is trained and evaluated, and has its page."""
    prepared(tmp_path, summary)
    for stage in ("tokenizer", "predictor"):
        trained(tmp_path, stage, summary["fingerprint"])
    evaluated(tmp_path, summary["fingerprint"])
    write_model_report(tmp_path, "model_a")
    return tmp_path


def write(root: Path, charts: list[ForecastChart]) -> Path:
    folder = root / "outputs" / "forecasts" / "model_a" / "20260418T0400Z"
    folder.mkdir(parents=True)
    path = folder / "report.html"
    path.write_text(forecast_page(facts_of(charts), charts, root, folder), "utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 420])
def test_it_is_drawn_with_the_verdict_and_paths_on_demand(
    browser: Chromium, root: Path, charts: list[SeriesChart], width: int, dark: bool
) -> None:
    page = write(root, [chart_of(chart) for chart in charts])
    visit = browser.visit(page, LOOK, width=width, dark=dark, photograph=True)
    assert (visit.errors, visit.requests) == ([], [])
    assert visit.values["charts"] == 3
    assert visit.values["overflow"] <= 0
    assert visit.values["series"] == 7  # low and high of the candles, two bands of two edges, the median
    assert (visit.values["pressed"], visit.values["with_paths"]) == ("true", 27)
    assert visit.values["verdict"].startswith("No edge")
    assert Path(visit.values["link"]).is_file()
    assert page.stat().st_size < 300_000


def test_the_values_under_the_pointer_are_read(browser: Chromium, root: Path, charts: list[SeriesChart]) -> None:
    chart = chart_of(charts[0])
    point = """(async share => {
      const over = document.querySelector(".u-over"), box = over.getBoundingClientRect();
      const reading = document.querySelector(".reading"), before = reading.innerText;
      const at = { bubbles: true, clientX: box.left + share * box.width, clientY: box.top + 20 };
      for (const kind of ["mouseenter", "mousemove"]) over.dispatchEvent(new MouseEvent(kind, at));
      while (reading.innerText === before) await new Promise(again => setTimeout(again, 20));
      return reading.innerText.replace(/\\s+/g, " ");
    })"""
    scripts = {"charts": DRAW_ALL, "known": f"{point}(0.001)", "ahead": f"{point}(0.99999)"}
    visit = browser.visit(write(root, [chart]), scripts, width=1400)
    assert f"close {chart.candles[-120, 3]:,.9g}".rstrip("0") in visit.values["known"]
    assert iso(chart.ahead[-1])[:16].replace("T", " ") in visit.values["ahead"]
    assert "90 % " in visit.values["ahead"]


def test_hostile_names_stay_text(browser: Chromium, root: Path, charts: list[SeriesChart]) -> None:
    name = """<script>window.ran = 1</script>'"&\u202e"""
    scripts = {
        "charts": DRAW_ALL,
        "ran": "window.ran === undefined",
        "heading": "document.querySelector('h3').textContent",
    }
    visit = browser.visit(write(root, [chart_of(charts[0], name)]), scripts, width=1400)
    assert (visit.errors, visit.values["ran"], visit.values["heading"]) == ([], True, name)


def test_without_an_evaluation_it_says_so(summary: dict[str, Any], charts: list[SeriesChart], tmp_path: Path) -> None:
    prepared(tmp_path, summary)
    assert "Not trained yet" in write(tmp_path, [chart_of(charts[0])]).read_text("utf-8")


def test_levels_of_one_side_make_bands_from_there_to_the_median(charts: list[SeriesChart], root: Path) -> None:
    chart = chart_of(charts[0])
    lower = chart._replace(levels=[0.05, 0.25, 0.5], quantiles=chart.quantiles[:3])
    page = write(root, [lower]).read_text("utf-8")
    assert '"bands":[{"name":{"en":"45 %"' in page


def test_the_picture_needs_no_script(charts: list[SeriesChart]) -> None:
    svg = picture(chart_of(charts[0]))
    assert svg.startswith("<svg")
    assert "<script" not in svg
