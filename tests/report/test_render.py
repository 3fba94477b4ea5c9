"""The page as people see it, in a real browser."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kronosforge.report import SeriesChart, write_fleet_page, write_model_report, write_report
from tests.browser import Chromium, chromium
from tests.report.finished import evaluated, prepared, trained

DRAW_ALL = """(async () => {
  const charts = [...document.querySelectorAll(".chart")];
  for (const chart of charts) {
    chart.scrollIntoView();
    while (!chart.dataset.drawn) await new Promise(again => setTimeout(again, 20));
  }
  scrollTo(0, 0);
  return charts.length;
})()"""
LOOK = {
    "charts": DRAW_ALL,
    "overflow": "document.scrollingElement.scrollWidth - innerWidth",
    "candles": "[...document.querySelectorAll('.chart')].map(c => c.querySelectorAll('.boxlayer path.box').length)",
    "bars": "[...document.querySelectorAll('.chart')].map(c => c.querySelectorAll('.barlayer .point').length)",
    "splits": "document.querySelector('.chart').querySelectorAll('.shapelayer path').length",
    "paper": "getComputedStyle(document.body).backgroundColor",
    "language": "document.documentElement.lang",
    "heading": "document.querySelector('h2').innerText",
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def page(summary: dict[str, Any], charts: list[SeriesChart], tmp_path: Path) -> Path:
    write_report(summary, charts, tmp_path / "report.html")
    return tmp_path / "report.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 420])
def test_it_is_drawn(browser: Chromium, page: Path, width: int, dark: bool) -> None:
    visit = browser.visit(page, LOOK, width=width, dark=dark, photograph=True)
    assert visit.errors == []
    assert visit.requests == []
    assert visit.values["charts"] == 3
    assert visit.values["overflow"] <= 0
    assert all(count > 50 for count in visit.values["candles"])
    assert visit.values["bars"] == [2 * count for count in visit.values["candles"]]
    assert visit.values["splits"] == 4  # train, validation, test, and the hole
    assert (visit.values["language"], visit.values["heading"]) == ("en", "What was asked")
    assert visit.values["paper"] == ("rgb(20, 23, 28)" if dark else "rgb(250, 249, 246)")
    assert struct.unpack(">I", visit.screenshot[16:20]) == (width,)


def test_it_speaks_the_readers_language(browser: Chromium, page: Path) -> None:
    visit = browser.visit(page, {"lang": LOOK["language"], "heading": LOOK["heading"]}, width=1400, language="zh-CN")
    assert visit.values == {"lang": "zh", "heading": "任务"}


def test_the_button_changes_the_language_of_page_and_charts(browser: Chromium, page: Path) -> None:
    labels = "[...document.querySelector('.chart').querySelectorAll('.annotation-text')].map(a => a.textContent)"
    settled = "new Promise(done => setTimeout(done, 300))"
    press = "document.getElementById('language').click()"
    scripts = {"charts": DRAW_ALL, "before": labels, "press": press, "settled": settled, "after": labels} | {
        "heading": LOOK["heading"]
    }
    visit = browser.visit(page, scripts, width=1400)
    assert {"train", "validation", "test", "volume", "turnover"} <= set(visit.values["before"])
    assert {"训练", "验证", "测试", "成交量", "成交额"} <= set(visit.values["after"])
    assert visit.values["heading"] == "任务"


def test_charts_follow_their_width(browser: Chromium, page: Path) -> None:
    narrow = """(async () => {
      const chart = document.querySelector(".chart"), wide = chart.querySelector("svg").clientWidth;
      document.body.style.width = "600px";
      while (chart.querySelector("svg").clientWidth === wide) await new Promise(again => setTimeout(again, 20));
      return chart.querySelector("svg").clientWidth - chart.clientWidth;
    })()"""
    before, after = LOOK["candles"], LOOK["candles"]
    scripts = {
        "charts": DRAW_ALL,
        "before": before,
        "over": narrow,
        "after": after,
        "text": "document.querySelector('.each').innerText",
    }
    visit = browser.visit(page, scripts, width=1400)
    assert visit.values["over"] == 0
    assert visit.values["after"][0] < visit.values["before"][0]
    assert visit.values["text"] == "each candle shows up to 39 bars"


def test_a_candle_is_read_under_the_pointer(browser: Chromium, page: Path, charts: list[SeriesChart]) -> None:
    hover = """(async () => {
      const reading = document.getElementById("reading-2"), before = reading.textContent;
      const plot = document.querySelector("#chart-2 .nsewdrag"), box = plot.getBoundingClientRect();
      const at = { bubbles: true, clientX: box.left + 1, clientY: box.top + 20 };
      for (const kind of ["mouseover", "mousemove"]) plot.dispatchEvent(new MouseEvent(kind, at));
      while (reading.textContent === before) await new Promise(again => setTimeout(again, 20));
      return reading.innerText;
    })()"""
    visit = browser.visit(page, {"charts": DRAW_ALL, "reading": hover}, width=1400)
    assert "2024-12-26 16:00 → 2024-12-26 20:00" in visit.values["reading"]
    assert f"open {charts[2].open[0]:,}" in visit.values["reading"].replace("\n", " ").replace("  ", " ")


def test_its_policy_stops_what_would_leave_it(browser: Chromium, page: Path) -> None:
    page.write_text(page.read_text("utf-8").replace("<main>", "<main><script>window.ran = 1</script>"), "utf-8")
    visit = browser.visit(page, {"ran": "window.ran === undefined"}, width=1400)
    assert visit.values["ran"] is True
    assert any("Content Security Policy" in error for error in visit.errors)


@pytest.fixture
def workspace(tmp_path: Path, summary: dict[str, Any]) -> Path:
    """A workspace with one model that went all the way."""
    prepared(tmp_path, summary)
    for stage in ("tokenizer", "predictor"):
        trained(tmp_path, stage, summary["fingerprint"])
    evaluated(tmp_path, summary["fingerprint"])
    return tmp_path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 420])
def test_a_models_page_is_drawn(browser: Chromium, workspace: Path, width: int, dark: bool) -> None:
    lines = "[...document.querySelectorAll('.chart')].map(c => c.querySelectorAll('.scatterlayer .trace').length)"
    scripts = {key: LOOK[key] for key in ("charts", "overflow", "bars", "paper")} | {"lines": lines}
    visit = browser.visit(write_model_report(workspace, "model_a"), scripts, width=width, dark=dark, photograph=True)
    assert visit.errors == []
    assert visit.requests == []
    assert visit.values["overflow"] <= 0
    assert visit.values["lines"] == [6, 6, 4, 1, 7, 7, 7]  # two curves, coverage, PIT, three fans of two bands
    assert visit.values["bars"] == [0, 0, 0, 30, 0, 0, 0]
    assert visit.values["paper"] == ("rgb(20, 23, 28)" if dark else "rgb(250, 249, 246)")
    assert struct.unpack(">I", visit.screenshot[16:20]) == (width,)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 420])
def test_the_fleets_page_leads_to_the_models(browser: Chromium, workspace: Path, width: int, dark: bool) -> None:
    write_model_report(workspace, "model_a")
    scripts = {"overflow": LOOK["overflow"], "press": "document.getElementById('language').click()"}
    scripts |= {
        "verdict": "document.querySelectorAll('td')[1].innerText",
        "to": "document.querySelector('td a').pathname",
    }
    visit = browser.visit(write_fleet_page(workspace), scripts, width=width, dark=dark)
    assert visit.errors == []
    assert visit.values["overflow"] <= 0
    assert visit.values["verdict"] == "没有优势:保留起点"
    assert Path(visit.values["to"]).is_file()


def test_a_models_charts_speak_chinese(browser: Chromium, workspace: Path) -> None:
    labels = "[...document.querySelectorAll('.annotation-text')].map(a => a.textContent)"
    scripts = {"charts": DRAW_ALL, "labels": labels, "which": "document.querySelectorAll('#examples h3')[2].innerText"}
    visit = browser.visit(write_model_report(workspace, "model_a"), scripts, width=1400, language="zh-CN")
    assert {"损失", "梯度范数", "学习率", "最佳:第 2 轮", "最后已知"} <= set(visit.values["labels"])
    assert visit.values["which"].startswith("最差")
