"""Every page in a real browser: both languages, widths and schemes, with names that try to be markup."""

import json
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import pytest

from kronosforge.report import SeriesChart, write_fleet_page, write_model_report, write_report
from tests.browser import Chromium
from tests.report.conftest import summary_of
from tests.report.finished import evaluated, prepared, trained, walked
from tests.report.test_forecast_page import chart_of, write
from tests.report.test_render import DRAW_ALL

HOSTILE = """<script>window.ran = 1</script>'"&\u202e"""
AXE = files("axe_core_python").joinpath("axe.min.js").read_text("utf-8") + "; 0"
LOOK = {
    "charts": DRAW_ALL,
    "language": "document.documentElement.lang",
    "dark": "getComputedStyle(document.body).backgroundColor === 'rgb(20, 23, 28)'",
    "overflow": "document.scrollingElement.scrollWidth - innerWidth",
    "ran": "window.ran",
    "text": "document.body.textContent",
    "back": "document.querySelector('.top-bar a')?.href",
    "axe": AXE,
    "violations": """axe.run().then(result => result.violations.map(
      ({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join(" | ")}`))""",
}
MODELS, MODEL = "outputs/reports/index.html", "outputs/reports/model_a/report.html"
DATASET = "data/kronos_datasets/model_a/report.html"
BACK = {"dataset": MODEL, "model": MODELS, "models": None, "forecast": MODEL}  # page → the page above it


@pytest.fixture(scope="module")
def root(charts: list[SeriesChart], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with every page of a model that went all the way, whose names are hostile."""
    root = tmp_path_factory.mktemp("work space")
    summary = summary_of(charts)
    summary["model_name"] = summary["config"]["description"] = HOSTILE
    key = f"{HOSTILE}_4H"
    summary["series"] = {key: summary["series"][charts[0].key], **summary["series"]}
    prepared(root, summary)
    for stage in ("tokenizer", "predictor"):
        trained(root, stage, summary["fingerprint"])
    record = evaluated(root, summary["fingerprint"])
    record["models"][HOSTILE] = record["models"]["fine-tuned"]
    (root / "outputs/models/model_a/evaluation.json").write_text(json.dumps(record))
    walked(root, summary["fingerprint"])
    write_report(summary, [charts[0]._replace(key=key), *charts], root / DATASET, f"../../../{MODEL}")
    write_model_report(root, "model_a")
    write_fleet_page(root)
    return root


@pytest.fixture(scope="module")
def addresses(root: Path, charts: list[SeriesChart]) -> dict[str, Path]:
    forecast = write(root, [chart_of(charts[0], HOSTILE), chart_of(charts[1])])
    return {"dataset": root / DATASET, "model": root / MODEL, "models": root / MODELS, "forecast": forecast}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 420])
@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
@pytest.mark.parametrize("page", BACK)
def test_a_page_can_be_read(
    browser: Chromium, root: Path, addresses: dict[str, Path], page: str, language: str, width: int, dark: bool
) -> None:
    visit = browser.visit(addresses[page], LOOK, width=width, dark=dark, language=language)
    assert (visit.errors, visit.requests) == ([], [])
    values = visit.values
    assert (values["language"], values["dark"]) == (language[:2], dark)
    assert values["overflow"] <= 0
    assert values["violations"] == []
    assert values["ran"] is None
    assert HOSTILE in values["text"]
    back = values["back"] and Path(unquote(values["back"].removeprefix("file://")))
    assert back == (root / BACK[page] if BACK[page] else None)
    assert back is None or back.is_file()


def test_every_column_of_a_table_can_be_reached_on_a_phone(browser: Chromium, addresses: dict[str, Path]) -> None:
    script = """[...document.querySelectorAll("table")].filter(table => table.offsetParent).map(table => {
      const key = table.querySelector("tbody .key");
      return key ? key.offsetWidth / table.parentElement.clientWidth : 0;
    })"""
    for page in ("dataset", "model", "models", "forecast"):
        visit = browser.visit(addresses[page], {"open": OPEN_ALL, "shares": script}, width=420)
        assert max(visit.values["shares"]) < 0.8, page


OPEN_ALL = "document.querySelectorAll('details').forEach(part => { part.open = true; })"
