"""`kronosforge forecast`, as a user types it."""

import json
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("torch", reason="forecasting needs torch")

from kronosforge.cli import run
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer

CONFIG = """
from kronosforge.config import DatasetConfig, ModelConfig, SourceConfig, TrainConfig
config = ModelConfig(
    model_name="T",
    target_symbols=["BTC-USD-SWAP_4H", "BTC-USDT-SWAP_4H"],
    source=SourceConfig(name="files:{candles}"),
    dataset=DatasetConfig(lookback=30, predict=5),
    train=TrainConfig(tokenizer="weights/t", predictor="weights/p"),
)
"""


@pytest.fixture
def workspace(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "my models"
    (root / "Kronos" / "finetune").mkdir(parents=True)
    config = root / "Kronos" / "finetune" / "config_model_t.py"
    config.write_text(CONFIG.replace("{candles}", str(shared / "data" / "okx")))
    KronosTokenizer(PRESETS["tiny"].tokenizer).save_pretrained(root / "weights" / "t")
    KronosPredictor(PRESETS["tiny"].predictor).save_pretrained(root / "weights" / "p")
    monkeypatch.chdir(root)
    monkeypatch.setenv("KRONOS_LANG", "en")
    return root


def forecast(capsys: pytest.CaptureFixture[str], *flags: str) -> dict:
    assert run(["forecast", "--config", "model_t", "--samples", "6", "--json", *flags]) == 0
    return json.loads(capsys.readouterr().out)


def test_it_writes_paths_quantiles_pictures_and_a_page(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = forecast(capsys)
    folder = Path(result["folder"])
    paths = pd.read_parquet(folder / "paths.parquet")
    quantiles = pd.read_csv(folder / "quantiles.csv")
    assert len(paths) == 2 * 6 * 5
    assert list(paths.columns) == ["open", "high", "low", "close", "vol", "amt"]
    assert (paths["high"] >= paths[["open", "close"]].max(axis=1)).all()
    assert (paths[["vol", "amt"]] >= 0).all(axis=None)
    assert len(quantiles) == 2 * 5
    assert (quantiles["close_q0.05"] <= quantiles["close_q0.95"]).all()
    series_facts = result["series"]["BTC-USDT-SWAP_4H"]
    steps = pd.to_datetime([series_facts["origin"], *series_facts["times"]]).to_series().diff().dropna()
    assert (steps == pd.Timedelta(hours=4)).all()
    for name in ("report.html", "forecast.json", "BTC-USD-SWAP_4H.svg", "BTC-USDT-SWAP_4H.svg"):
        assert (folder / name).stat().st_size > 500


def test_a_forecast_is_the_same_again_and_alone(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both, again = forecast(capsys), forecast(capsys)
    alone = forecast(capsys, "--series", "BTC-USDT-SWAP_4H")
    assert both == again
    assert alone["series"]["BTC-USDT-SWAP_4H"] == both["series"]["BTC-USDT-SWAP_4H"]


def test_a_forecast_of_fewer_series_leaves_no_picture_of_the_others(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forecast(capsys, "--out", "here")
    forecast(capsys, "--out", "here", "--series", "BTC-USDT-SWAP_4H")
    assert [path.name for path in (workspace / "here").glob("*.svg")] == ["BTC-USDT-SWAP_4H.svg"]


def test_it_asks_where_the_dataset_came_from(workspace: Path, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = workspace / "Kronos" / "finetune" / "config_model_t.py"
    files = f"files:{shared / 'data' / 'okx'}"
    config.write_text(config.read_text().replace(files, "okx"))
    flags = ["--records-per-timeframe", "3000", "--symbols", "BTC-USDT-SWAP", "--no-copy"]
    assert run(["prepare", "--config", "model_t", "--source", files, *flags]) == 0
    capsys.readouterr()
    answer = forecast(capsys, "--series", "BTC-USDT-SWAP_4H")
    assert answer["series"]["BTC-USDT-SWAP_4H"]["origin"] == "2026-04-18T00:00Z"  # the file's newest bar


def test_it_knows_nothing_after_its_origin(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newest = forecast(capsys)["series"]["BTC-USDT-SWAP_4H"]["origin"]
    earlier = forecast(capsys, "--at", newest)["series"]["BTC-USDT-SWAP_4H"]  # the bar that opens there is not finished
    assert earlier["origin"] < newest
    assert earlier["times"][0] == newest


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--series", "DOGE_4H"], 2, "not a series of model_t"),
        (["--horizon", "600"], 2, "horizon is 600"),
        (["--samples", "0"], 2, "forecast.samples"),
        (["--horizon", "0"], 2, "--horizon"),
        (["--top-p", "2"], 2, "--top-p"),
        (["--temperature", "-1"], 2, "--temperature"),
        (["--out", "Kronos/finetune/config_model_t.py"], 4, "config_model_t.py cannot be"),
        (["--out", "Kronos/finetune/config_model_t.py/inside"], 4, "cannot be written"),
        (["--at", "2019-01-01T00:00Z"], 3, "No data fetched"),
        (["--weights", "current"], 5, "evaluate first"),
        (["--weights", "fine-tuned"], 5, "train the model first"),
    ],
)
def test_what_cannot_be_forecast_is_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str], flags: list[str], code: int, message: str
) -> None:
    result = run(["forecast", "--config", "model_t", *flags])
    out, err = capsys.readouterr()
    assert message in err
    assert (out, err.count("\n")) == ("", 1)
    assert result == code
    assert not (workspace / "outputs").exists()


def test_a_flag_of_two_settings_is_named_once(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["forecast", "--config", "model_t", "--samples", "0"]) == 2
    assert capsys.readouterr().err.count("--samples") == 1


def test_a_time_that_has_not_come_is_refused(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["forecast", "--config", "model_t", "--at", "2030-01-01"]) == 2
    assert "--at 2030-01-01 is in the future: the newest candles are of 2026-" in capsys.readouterr().err
