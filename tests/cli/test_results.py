"""The pages at the end of a command."""

from pathlib import Path

import pytest

from kronosforge.cli.results import print_forecast, print_pages
from kronosforge.config import ModelConfig
from kronosforge.workflows.pages import write_pages

CONFIG = ModelConfig(
    name="model_a", model_name="Model_A", target_symbols=["BTC-USDT-SWAP_4H"], dataset_path="elsewhere"
)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_LANG", "en")


def test_it_says_where_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "data_summary.json").write_text('{"model_name": "Found_Elsewhere"}')
    print_pages(write_pages([CONFIG], tmp_path))
    page = tmp_path / "outputs" / "reports" / "model_a" / "report.html"
    assert capsys.readouterr().out == f"Report: {page}\n"
    assert "<h1>Found_Elsewhere</h1>" in page.read_text("utf-8")
    print_pages(write_pages([CONFIG], tmp_path), quiet=True)
    assert capsys.readouterr().out == ""


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "reports").write_text("a file in the way")
    print_pages(write_pages([CONFIG], tmp_path))
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("No report of model_a: DiskError: ")
    assert output.err.count("\n") == 1


def test_a_list_of_models_that_cannot_be_written_hides_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "outputs" / "reports" / "index.html").mkdir(parents=True)
    print_pages(write_pages([CONFIG], tmp_path))
    output = capsys.readouterr()
    assert output.out.endswith("outputs/reports/model_a/report.html\n")
    assert output.err.startswith("No report of all models: ")


def test_a_forecast_s_repaired_candles_and_quantiles_are_counted_once(capsys: pytest.CaptureFixture[str]) -> None:
    series = {
        "origin": "2026-01-01T00:00Z", "times": ["2026-01-01T04:00Z"], "last_close": 1.0, "p_up": 0.5,
        "close": {"0.1": [0.9], "0.5": [1.0]}, "violations": {"high": 3, "low": 1, "broken": 4, "bars": 320},
    }  # fmt: skip
    facts = {"quantiles": [0.1, 0.5], "raw": False, "series": {"BTC_4H": series}}
    print_forecast(facts, Path("f"))
    print_forecast({**facts, "raw": True}, Path("f"))
    head, row, _folder, _head, raw, _ = capsys.readouterr().out.splitlines()
    assert (head.count("q0.5"), row.split()[-1], raw.split()[-1]) == (1, "4", "–")
