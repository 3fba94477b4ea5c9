"""A model's page and the page of all models, from what a real tiny run leaves, in a real browser."""

import json
import shutil
from pathlib import Path

import pytest

from tests.browser import Chromium

pytest.importorskip("torch", reason="what the page shows is trained here")

from kronosforge.evaluate import evaluate
from kronosforge.report import write_fleet_page, write_model_report
from kronosforge.train import train
from kronosforge.workflows.prepare import prepare
from kronosforge.workflows.walk_forward import walk_forward
from kronosforge.workspace.paths import dataset_folders
from tests.report.test_render import DRAW_ALL
from tests.train.conftest import model

LOOK = {
    "charts": DRAW_ALL,
    "overflow": "document.scrollingElement.scrollWidth - innerWidth",
    "heads": "[...document.querySelectorAll('h2')].map(h => h.innerText)",
}


@pytest.fixture(scope="module")
def finished(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a model that is prepared, trained, evaluated, and has walked forward."""
    root = tmp_path_factory.mktemp("a workspace")
    config = model(shared)
    prepare(config, dataset_folders(config, root, copy=False), {})
    train(config, root)
    evaluate(config, root)
    walk_forward(config, 2, root)
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "w s"))


def page(root: Path) -> Path:
    return write_model_report(root, "model_t", root / "data" / "kronos_datasets" / "model_t")


def test_every_section_is_drawn(browser: Chromium, root: Path) -> None:
    visit = browser.visit(page(root), LOOK, width=1400)
    assert visit.errors == []
    assert visit.requests == []
    assert visit.values["overflow"] <= 0
    assert visit.values["charts"] >= 2 + 3  # two stages' curves, three example forecasts
    heads = [
        "Dataset",
        "Training",
        "Evaluation",
        "Calibration",
        "Three forecasts",
        "Backtest",
        "Walk-forward",
        "Provenance",
    ]
    assert [head for head in visit.values["heads"] if head in heads] == heads


def test_the_verdict_comes_first(root: Path) -> None:
    evaluation = json.loads((root / "outputs/models/model_t/evaluation.json").read_text())
    html = page(root).read_text("utf-8")
    assert html.index(evaluation["verdict"]["sentence"]["zh"][:20]) < html.index("<h2")


def test_equal_results_give_equal_bytes(root: Path) -> None:
    first = page(root).read_bytes()
    assert page(root).read_bytes() == first


def test_what_is_not_there_yet_is_said_and_breaks_nothing(browser: Chromium, root: Path) -> None:
    models = root / "outputs" / "models" / "model_t"
    (models / "evaluation.json").write_text('{"verdict": nul')
    unjudged = page(root)
    assert "Trained, not evaluated yet" in unjudged.read_text("utf-8")
    assert browser.visit(unjudged, {"charts": DRAW_ALL}, width=1400).errors == []
    shutil.rmtree(models)
    assert "Not trained yet" in page(root).read_text("utf-8")


def test_the_page_of_all_models_links_each(browser: Chromium, root: Path) -> None:
    page(root)
    fleet = write_fleet_page(root)
    visit = browser.visit(fleet, {"links": "[...document.querySelectorAll('a')].map(a => a.href)"}, width=420)
    assert visit.errors == []
    assert any(link.endswith("model_t/report.html") for link in visit.values["links"])
