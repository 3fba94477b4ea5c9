"""The flags of every command: their spellings, their help, and what a misspelt one is answered."""

import argparse
import json
import shlex
from pathlib import Path

import pytest

from kronosforge.cli import run
from kronosforge.cli.commands import COMMANDS, SCRIPTS
from kronosforge.cli.context import model_flags, open_context
from kronosforge.cli.parser import Parser, build_parser, script_parser
from kronosforge.workspace.scaffold import lay
from kronosforge.workspace.settings import SETTINGS, fields

# Flags that users know from the guides; each must go on working as it is spelt here.
TRAINING = (
    "--init --size --tokenizer --predictor --freeze-tokenizer --lora --epochs --batch-size --device --precision --seed"
)
FLAGS = {
    "configs": "--list-configs --json",
    "check": "--source --json",
    "prepare": "--config --list-configs --timeframes --records-per-timeframe --symbols --since --until --source "
    "--output-dir --kronos-dir --no-copy --force --dry-run --explain --strict --json --set",
    "verify": "--json --set",
    "inspect": "--json",
    "train": f"--models --config --list-configs --stage {TRAINING} --mode --max-workers --resume --force --accept-new-data "
    "--in-process --dry-run --explain --json --set",
    "forecast": "--config --series --at --horizon --weights --samples --temperature --top-p --top-k --quantiles --sliding "
    "--raw --source --out --device --seed --json --set",
    "evaluate": "--config --models --stride --samples --folds --device --force --json --set",
    "pipeline": f"--models --source {TRAINING} --mode --max-workers --force --strict --json --set",
    "quick_start": f"--yes {TRAINING} --set",
    "sandbox": "--port --replay --seed --edge --clock --faults",
}


def declared(command: str) -> Parser:
    parser = script_parser("kronosforge", command)
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    return parser


@pytest.mark.parametrize("command", FLAGS)
def test_every_flag_of_the_guides_is_there(command: str) -> None:
    assert set(FLAGS[command].split()) <= set(declared(command)._option_string_actions)


def test_each_command_has_a_function_that_declares_its_arguments() -> None:
    for name, command in (COMMANDS | SCRIPTS).items():
        parser = Parser(prog=name)
        command.declare(parser)
        assert len(parser._actions) > 1


def test_the_flag_of_a_setting_is_what_the_config_declares() -> None:
    actions = declared("train")._option_string_actions
    assert actions["--size"].choices == fields()["train.size"].choices
    assert actions["--epochs"].type is int
    assert (
        actions["--epochs"].help
        == "Maximum number of passes over the training windows; patience may end training earlier (default: 5)"
    )
    assert declared("forecast")._option_string_actions["--temperature"].type is float
    quantiles = declared("forecast").parse_args(["--config", "x", "--quantiles", "0.1", "0.9"]).quantiles
    assert quantiles == [0.1, 0.9]


@pytest.mark.parametrize("command", [*COMMANDS, *SCRIPTS])
def test_the_chinese_help_says_something_in_chinese_of_each_flag(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_LANG", "zh")
    for action in declared(command)._actions:
        if not isinstance(action, argparse._HelpAction):
            assert any("一" <= letter <= "鿿" for letter in action.help or ""), action.option_strings


@pytest.mark.parametrize(
    ("command_line", "message"),
    [
        (["preparee"], "did you mean prepare?"),
        (["prepare", "--confg", "x"], "did you mean --config"),
        (["train", "--models", "x", "--epohcs", "3"], "did you mean --epochs?"),
        (["train", "--models", "x", "--epohcs=3"], "did you mean --epochs?"),
        (["train", "--models", "x", "--patience", "3"], "did you mean --set train.patience=…?"),
        (["forecast", "--confg", "x"], "did you mean --config?"),
        (["prepare", "--config", "x", "--until", "2025-01-31", "16:00"], "put quotes around a time with a space"),
        (["evaluate", "--config", "x", "extra"], "unrecognized arguments: extra;"),
        (["train", "--models", "x", "--size", "smal"], "did you mean small?"),
        (["--verison"], "did you mean --version?"),
    ],
)
def test_a_misspelt_word_gets_a_suggestion(
    command_line: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRONOS_LANG", "en")
    assert run(command_line) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert message in printed.err
    assert "--help" in printed.err


def test_the_command_that_trains_the_same_has_every_setting_that_train_takes() -> None:
    command_line = (
        "pipeline --source sandbox --epochs 3 --freeze-tokenizer --set train.patience=2 --set clean.gaps=fill"
    )
    flags = model_flags(build_parser().parse_args(command_line.split()))
    assert shlex.join(flags) == "--freeze-tokenizer --epochs 3 --set train.patience=2 --set clean.gaps=fill"
    assert model_flags(build_parser().parse_args(["train", *flags])) == flags


def test_abbreviated_flags_work() -> None:
    assert build_parser().parse_args(["train", "--mode", "parallel", "--batch", "3"]).batch_size == 3


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KRONOS_LANG", "en")
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable or "-", raising=False)
    return tmp_path


def explained(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, tuple[object, str]]:
    assert run(["prepare", "--config", "model_a_4h", "--explain", "--json", *flags]) == 0
    return {row["key"]: (row["value"], row["set_by"]) for row in json.loads(capsys.readouterr().out)["settings"]}


def test_explain_shows_what_set_each_value(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = explained(capsys, "--set", "train.patience=7", "--set", "clean.gaps=fill", "--source", "sandbox")
    assert rows["train.patience"] == (7, "command line --set train.patience")
    assert rows["clean.gaps"] == ("fill", "command line --set clean.gaps")
    assert rows["source.name"] == ("sandbox", "command line --source")
    assert rows["train.epochs"] == (5, "default")


@pytest.mark.parametrize(
    "command_line",
    [
        "prepare --config model_a_4h",
        "verify model_a_4h",
        "train --models model_a_4h",
        "forecast --config model_a_4h",
        "evaluate --config model_a_4h",
        "pipeline --models model_a_4h",
        "quick_start",
    ],
)
def test_set_changes_the_config_of_every_command_that_loads_one(workspace: Path, command_line: str) -> None:
    command, *flags = command_line.split()
    script = str(workspace / "script.py")
    parsed = script_parser("kronosforge", command).parse_args(
        [*flags, "--set", "train.patience=7", "--set", "forecast.quantiles=0.2,0.8"], argparse.Namespace(script=script)
    )
    config = open_context(parsed).model("Model_A_4H").config
    assert (config.train.patience, config.forecast.quantiles) == (7, [0.2, 0.8])


def test_the_env_file_gives_what_the_environment_does_not(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / ".env").write_text("KRONOS_TOKENIZER_PATH=from-file\nKRONOS_PREDICTOR_PATH=from-file\n", "utf-8")
    monkeypatch.setenv("KRONOS_PREDICTOR_PATH", "from-process")
    rows = explained(capsys)
    assert rows["train.tokenizer"] == ("from-file", "environment KRONOS_TOKENIZER_PATH")
    assert rows["train.predictor"] == ("from-process", "environment KRONOS_PREDICTOR_PATH")


def test_verify_looks_where_the_settings_say(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--symbols", "BTC-USDT-SWAP", "--records-per-timeframe", "800", "--no-copy", "--source", "sandbox"]
    assert run(["prepare", "--config", "model_a_4h", "--output-dir", "elsewhere", *small]) == 0
    assert run(["verify", "model_a_4h", "--set", "dataset_path=elsewhere", "--json"]) == 0
    (workspace / ".env").write_text("KRONOS_OUTPUT_DIR=elsewhere\n", "utf-8")
    assert run(["verify", "model_a_4h", "--json"]) == 0
