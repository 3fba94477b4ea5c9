"""What axe-core (https://github.com/dequelabs/axe-core) finds on each page, in both schemes and widths: nothing."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from kronosforge.report import SeriesChart, write_fleet_page, write_model_report, write_report
from tests.browser import Chromium, chromium
from tests.report.finished import evaluated, prepared, trained
from tests.report.test_forecast_page import chart_of, write
from tests.report.test_render import DRAW_ALL

AXE = files("axe_core_python").joinpath("axe.min.js").read_text("utf-8") + "; 0"
RUN = """axe.run().then(result => result.violations.map(
  ({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join(" | ")}`))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def pages(summary: dict[str, Any], charts: list[SeriesChart], tmp_path: Path) -> dict[str, Callable[[], Path]]:
    """Each page, written where it is called for, of a workspace whose model went all the way."""
    prepared(tmp_path, summary)
    for stage in ("tokenizer", "predictor"):
        trained(tmp_path, stage, summary["fingerprint"])
    evaluated(tmp_path, summary["fingerprint"])

    def report() -> Path:
        path = tmp_path / "report.html"
        write_report(summary, charts, path)
        return path

    return {
        "dataset": report,
        "model": lambda: write_model_report(tmp_path, "model_a"),
        "models": lambda: write_fleet_page(tmp_path),
        "forecast": lambda: write(tmp_path, [chart_of(chart) for chart in charts]),
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 420])
@pytest.mark.parametrize("page", ["dataset", "model", "models", "forecast"])
def test_axe_finds_nothing(
    browser: Chromium, pages: dict[str, Callable[[], Path]], page: str, width: int, dark: bool
) -> None:
    visit = browser.visit(pages[page](), {"charts": DRAW_ALL, "axe": AXE, "violations": RUN}, width=width, dark=dark)
    assert visit.values["violations"] == []
    assert visit.errors == []
