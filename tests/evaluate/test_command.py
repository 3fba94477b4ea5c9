"""`kronosforge evaluate`: what it prints, and that no edge is no error."""

import json
import shutil
from pathlib import Path

import pytest

from kronosforge.cli import run
from kronosforge.config import ModelConfig
from kronosforge.pipeline import prepare
from kronosforge.scope import places
from kronosforge.skeleton import lay
from kronosforge.train.stages import train
from kronosforge.workspace import load_config

CONFIG = """
from kronosforge.config import DatasetConfig, EvaluateConfig, ModelConfig, SourceConfig, TrainConfig

config = ModelConfig(
    model_name="Model_Tiny",
    target_symbols=["BTC-USDT-SWAP_4H"],
    records_per_timeframe=200,
    source=SourceConfig(name="sandbox"),
    dataset=DatasetConfig(lookback=8, predict=2),
    train=TrainConfig(init="scratch", size="tiny", epochs=1, batch_size=16, windows_per_epoch=16),
    evaluate=EvaluateConfig(samples=4, replicates=100),
)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("w")
    lay(root)
    (root / "Kronos" / "finetune" / "config_tiny.py").write_text(CONFIG)
    config: ModelConfig = load_config("tiny", str(root))
    prepare(config, places(config, root, None, copy=False), {})
    train(config, root)
    return root


@pytest.fixture
def workspace(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path / "w")
    monkeypatch.chdir(tmp_path / "w")
    monkeypatch.setenv("KRONOS_LANG", "en")
    for name in ("KRONOS_SOURCE", "KRONOS_OUTPUT_DIR", "KRONOS_TOKENIZER_PATH", "KRONOS_PREDICTOR_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "w"


def test_the_verdict_comes_first_and_the_baselines_stand_beside(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "--config", "tiny", "--samples", "3"]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0].split(" ", 1)[1].startswith(("No edge: do not use this model; ", "Promoted: "))
    rows = {line.split("  ")[0] for line in lines}
    assert {"fine-tuned", "pretrained", "last price", "drift", "seasonal naive", "random walk"} <= rows
    assert lines[-2].endswith("outputs/models/tiny/evaluation.json")
    assert lines[-1].endswith("outputs/reports/tiny/report.html")
    assert told.err == ""
    assert json.loads(Path(lines[-2]).read_text())["provenance"]["settings"]["samples"] == 3


def test_json_is_one_object(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--config", "tiny", "--stride", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["provenance"]["settings"]["stride"] == 2
    assert {"en", "zh"} == found["verdict"]["sentence"].keys()


def test_in_chinese(workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_LANG", "zh")
    assert run(["evaluate", "--config", "tiny", "--models", "pretrained"]) == 0
    told = capsys.readouterr().out
    assert "方向命中 %" in told
    assert "简单回测" in told


def test_without_a_model_it_says_what_to_do(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(workspace / "outputs")
    assert run(["evaluate", "--config", "tiny"]) == 5
    assert "kronosforge train --models tiny" in capsys.readouterr().err
    assert run(["evaluate", "--config", "model_a_4h"]) == 4
