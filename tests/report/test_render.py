"""The page as people see it, in a real browser."""

import struct
from pathlib import Path
from typing import Any

import pytest

from kronosforge.report import SeriesChart, write_fleet_page, write_model_report, write_report
from tests.browser import Chromium
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
    "candles": "[...document.querySelectorAll('.chart')].map(c => c.candles.ts.length)",
    "inked": """[...document.querySelectorAll('.chart')].map(c => c.panels.map(({ ctx }) => {
      const { data } = ctx.getImageData(0, 0, ctx.canvas.width, ctx.canvas.height);
      const colours = new Set();
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 250) colours.add(data.slice(i, i + 3).join());
      return colours.size;
    }))""",
    "names": "[...document.querySelector('.chart').querySelectorAll('.name')].filter(n => !n.hidden).map(n => n.innerText)",
    "paper": "getComputedStyle(document.body).backgroundColor",
    "language": "document.documentElement.lang",
    "heading": "document.querySelector('h2').innerText",
}


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
    assert all(len(panels) == 3 and min(panels) > 1 for panels in visit.values["inked"])
    assert visit.values["names"] == ["train", "validation", "test"]
    assert (visit.values["language"], visit.values["heading"]) == ("en", "What was asked")
    assert visit.values["paper"] == ("rgb(20, 23, 28)" if dark else "rgb(250, 249, 246)")
    assert struct.unpack(">I", visit.screenshot[16:20]) == (width,)


def test_it_speaks_the_readers_language(browser: Chromium, page: Path) -> None:
    visit = browser.visit(page, {"lang": LOOK["language"], "heading": LOOK["heading"]}, width=1400, language="zh-CN")
    assert visit.values == {"lang": "zh", "heading": "任务"}


def test_the_button_changes_the_language_of_page_and_charts(browser: Chromium, page: Path) -> None:
    labels = "[...document.querySelector('.chart').querySelectorAll('.title, .name')].map(label => label.textContent)"
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
      const chart = document.querySelector(".chart"), width = () => chart.querySelector(".uplot").clientWidth, wide = width();
      document.body.style.width = "600px";
      while (width() === wide) await new Promise(again => setTimeout(again, 20));
      return width() - chart.clientWidth;
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
      const plot = document.querySelector("#chart-2 .u-over"), box = plot.getBoundingClientRect();
      const at = { bubbles: true, clientX: box.left + 1, clientY: box.top + 20 };
      for (const kind of ["mouseenter", "mousemove"]) plot.dispatchEvent(new MouseEvent(kind, at));
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
    series = "[...document.querySelectorAll('.chart')].map(c => c.panels.map(panel => panel.series.length - 1))"
    scripts = {key: LOOK[key] for key in ("charts", "overflow", "inked", "paper")} | {"series": series}
    visit = browser.visit(write_model_report(workspace, "model_a"), scripts, width=width, dark=dark, photograph=True)
    assert visit.errors == []
    assert visit.requests == []
    assert visit.values["overflow"] <= 0
    # The curves of both stages, coverage, PIT, and three fans of two bands, whose two edges are a series each.
    assert visit.values["series"] == [[4, 1, 1], [4, 1, 1], [4], [4], [7], [7], [7]]
    assert all(min(panels) > 1 for panels in visit.values["inked"])
    assert visit.values["paper"] == ("rgb(20, 23, 28)" if dark else "rgb(250, 249, 246)")
    assert struct.unpack(">I", visit.screenshot[16:20]) == (width,)


def test_the_fleets_page_leads_to_the_models(browser: Chromium, workspace: Path) -> None:
    write_model_report(workspace, "model_a")
    scripts = {"overflow": LOOK["overflow"], "press": "document.getElementById('language').click()"}
    scripts |= {
        "verdict": "document.querySelector('td').innerText",
        "to": "document.querySelector('tbody a').pathname",
    }
    visit = browser.visit(write_fleet_page(workspace), scripts, width=420)
    assert visit.errors == []
    assert visit.values["overflow"] <= 0
    assert visit.values["verdict"] == "没有优势：保留起点"
    assert Path(visit.values["to"]).is_file()


def test_a_models_charts_speak_chinese(browser: Chromium, workspace: Path) -> None:
    labels = "[...document.querySelectorAll('.uplot .title, .uplot .name')].map(label => label.textContent)"
    scripts = {"charts": DRAW_ALL, "labels": labels, "which": "document.querySelectorAll('#examples h3')[2].innerText"}
    visit = browser.visit(write_model_report(workspace, "model_a"), scripts, width=1400, language="zh-CN")
    assert {"损失", "梯度范数", "学习率", "最佳：第 2 轮", "最后已知"} <= set(visit.values["labels"])
    assert visit.values["which"].startswith("最差")


@pytest.mark.parametrize("kind", ["dataset", "model"])
def test_a_page_is_light(page: Path, workspace: Path, kind: str) -> None:
    path = page if kind == "dataset" else write_model_report(workspace, "model_a")
    assert path.stat().st_size < 500_000
