"""`kronosforge evaluate`: what it prints, and that no edge is no error."""

import json
import shutil
from pathlib import Path

import pytest

from kronosforge.cli import run
from kronosforge.config import ModelConfig
from kronosforge.model.devices import available
from kronosforge.train.stages import train
from kronosforge.workflows.prepare import prepare
from kronosforge.workspace.loading import load_config
from kronosforge.workspace.paths import dataset_folders
from kronosforge.workspace.scaffold import lay

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
    prepare(config, dataset_folders(config, root, copy=False), {})
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
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0].split(" ", 1)[1].startswith(("No edge: do not use this model; ", "Promoted: "))
    rows = {line.split("  ")[0] for line in lines}
    assert {"fine-tuned", "untrained start", "last price", "drift", "seasonal naive", "random walk"} <= rows
    assert lines[-2].endswith("outputs/models/tiny/evaluation.json")
    assert lines[-1].endswith("outputs/reports/tiny/report.html")
    assert output.err == ""
    assert json.loads(Path(lines[-2]).read_text())["provenance"]["settings"]["samples"] == 3


def test_json_is_one_object(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--config", "tiny", "--stride", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["provenance"]["settings"]["stride"] == 2
    assert {"en", "zh"} == result["verdict"]["sentence"].keys()


def test_in_chinese(workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_LANG", "zh")
    assert run(["evaluate", "--config", "tiny", "--models", "pretrained"]) == 0
    output = capsys.readouterr().out
    assert "方向命中 %" in output
    assert "简单回测" in output


def test_without_a_model_it_says_what_to_do(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(workspace / "outputs")
    assert run(["evaluate", "--config", "tiny"]) == 5
    assert "kronosforge train --models tiny" in capsys.readouterr().err
    assert run(["evaluate", "--config", "model_a_4h"]) == 4


def test_folds_say_their_cost_and_come_in_one_table(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe, and of a model that is not trained: news on stderr, the verdict first and the whole last on stdout."""
    shutil.rmtree(workspace / "outputs")
    assert run(["evaluate", "--config", "tiny", "--folds", "2"]) == 0
    output = capsys.readouterr()
    cost, *ended = [line for line in output.err.splitlines() if " epoch " not in line]
    assert cost.startswith("tiny: folds to train: 2, at most 0:0")
    assert [line[: line.index(":")] for line in ended] == ["tiny fold 1 of 2", "tiny fold 2 of 2"]
    lines = output.out.splitlines()
    assert lines[0].split(" ", 1)[1].startswith(("No edge over 2 folds; ", "Edge over 2 folds; "))
    rows = {line.split("  ")[0]: line for line in lines}
    result = json.loads((workspace / "outputs/models/tiny/folds/evaluation.json").read_text())
    for name, scores in [*((str(row["fold"]), row) for row in result["folds"]), ("all", result)]:
        crps = scores["models"]["fine-tuned"]["pooled"]["crps"]
        assert (
            " ".join((f"{100 * crps['value']:.3f} [{100 * crps['low']:.3f},", f"{100 * crps['high']:.3f}]"))
            in rows[name]
        )
        assert scores["origins"]["first"] in rows[name]
        assert scores["verdict"]["baseline"] in rows[name]
    assert lines[-2].endswith("outputs/models/tiny/folds/evaluation.json")
    assert run(["evaluate", "--config", "tiny", "--folds", "2", "--json"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out) == result
    assert output.err == ""


def test_wrong_folds_are_one_line(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags, code, complaint in (
        (["0"], 2, "found 0; allowed: 2 to 50"),
        (["two"], 2, "invalid int value: 'two'"),
        (["40"], 4, "of 40 has too few windows of 11 bars"),
        (["2", "--models", "start"], 2, "leave --models out"),
    ):
        assert run(["evaluate", "--config", "tiny", "--folds", *flags]) == code
        output = capsys.readouterr()
        assert (output.out, output.err.count("\n")) == ("", 1)
        assert complaint in output.err


def test_folds_are_not_for_torchrun(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "1"}.items():  # torchrun --nproc-per-node 1
        monkeypatch.setenv(name, value)
    assert run(["evaluate", "--config", "tiny", "--folds", "2"]) == 2
    assert "without torchrun" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "Unknown device 'gpu'; allowed: auto, cpu, cuda, cuda:N"),
        ("mps", "MPS is not available on this machine (available: cpu)"),
        ("cuda", "CUDA is not available on this machine (available: cpu)"),
    ],
)
def test_a_device_that_is_unknown_or_absent_is_refused_in_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    if name in available():
        pytest.skip(f"this machine has {name}")
    assert run(["evaluate", "--config", "tiny", "--device", name]) == 2
    assert capsys.readouterr().err.startswith(f"Error: {message.partition('(')[0]}")


def test_folds_in_chinese(workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_LANG", "zh")
    assert run(["evaluate", "--config", "tiny", "--folds", "2"]) == 0
    output = capsys.readouterr()
    assert "待训练 2 折" in output.err
    assert "2 折总体" in output.out
    assert "合计" in output.out


def test_a_setting_of_training_that_folds_would_not_follow_is_refused(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "--config", "tiny", "--folds", "2", "--set", "train.epochs=7"]) == 2
    assert "train.epochs is 1, and not 7" in capsys.readouterr().err
    assert not (workspace / "outputs" / "models" / "tiny" / "folds").exists()


def test_scores_of_one_model_do_not_replace_a_verdict(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = workspace / "outputs" / "models" / "tiny" / "evaluation.json"
    assert run(["evaluate", "--config", "tiny"]) == 0
    whole = path.read_bytes()
    assert run(["evaluate", "--config", "tiny", "--models", "fine-tuned"]) == 2
    assert "holds the verdict of a whole evaluation; --force" in capsys.readouterr().err
    assert path.read_bytes() == whole
    assert run(["evaluate", "--config", "tiny", "--models", "fine-tuned", "--force"]) == 0
    assert json.loads(path.read_text())["verdict"] is None


def test_a_damaged_evaluation_is_one_line_in_every_command(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of `evaluate`, of `forecast` with the promoted weights, and of `pipeline`; the page names it, too."""
    folder = workspace / "outputs" / "models" / "tiny"
    assert run(["evaluate", "--config", "tiny"]) == 0
    content = json.loads((folder / "evaluation.json").read_text())
    (folder / "CURRENT").write_text(json.dumps({"model": "fine-tuned", "evaluation": content["fingerprint"]}))
    del content["models"]["drift"]["pooled"]["rank_ic"]
    (folder / "evaluation.json").write_text(json.dumps(content))
    capsys.readouterr()
    for command in (
        ["evaluate", "--config", "tiny"],
        ["evaluate", "--config", "tiny", "--json"],
        ["evaluate", "--config", "tiny", "--models", "start"],
        ["forecast", "--config", "tiny"],
        ["forecast", "--config", "tiny", "--weights", "current"],
    ):
        assert run(command) == 4
        printed = capsys.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", 1)
        assert "models.drift.pooled.rank_ic: Field required; recreate it with: kronosforge evaluate" in printed.err
    assert run(["pipeline", "--models", "tiny"]) == 4
    assert "internal error" not in capsys.readouterr().err
    assert run(["evaluate", "--config", "tiny", "--force"]) == 0
