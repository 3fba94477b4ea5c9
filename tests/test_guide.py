"""Every command of the guide's data half, as it stands there, in a folder with a blank in its name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kronosforge.workspace.scaffold import lay

SCRIPT = "prepare_kronos_data_simple.py"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guide") / "my candles"
    lay(folder)
    return folder


def run(workspace: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as the guide's user would, the sandbox standing in for OKX."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**inherited, "PATH": path, "KRONOS_SOURCE": "sandbox", "KRONOS_LANG": "en", **variables}
    return subprocess.run(
        command, cwd=workspace, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def prepare(workspace: Path, *flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(workspace, "python", SCRIPT, *flags, **variables)


@pytest.fixture(scope="module")
def model_a(workspace: Path) -> Path:
    """The dataset of the guide's first command."""
    done = prepare(workspace, "--config", "model_a_4h")
    assert done.returncode == 0, done.stderr
    return workspace / "data" / "kronos_datasets" / "model_a_4h"


def test_list_configs(workspace: Path) -> None:
    listed = prepare(workspace, "--list-configs").stdout
    assert "model_a_4h" in listed
    assert "model_b_1d" in listed


def test_model_a_has_the_guide_s_files_and_summary(model_a: Path, workspace: Path) -> None:
    summary = json.loads((model_a / "data_summary.json").read_text("utf-8"))
    names = {"train_data.pkl", "val_data.pkl", "test_data.pkl"}
    assert summary["model_name"] == "Model_A_4H"
    assert summary["timeframes"] == ["4H"]
    assert summary["records_per_timeframe"] == 2000
    assert summary["output_directory"] == "data/kronos_datasets/model_a_4h"
    assert names <= {file["filename"] for file in summary["files"]}
    assert all({"filename", "size_mb", "modified"} <= file.keys() for file in summary["files"])
    copied = {path.name for path in (workspace / "Kronos" / "finetune" / "data").iterdir()}
    assert copied == {*names, "data_summary.json"}


def test_the_same_request_keeps_the_dataset_and_another_says_what_differs(model_a: Path, workspace: Path) -> None:
    before = (model_a / "train_data.pkl").read_bytes()
    kept = prepare(workspace, "--config", "model_a_4h")
    assert kept.returncode == 0, kept.stderr
    assert "Kept: this dataset was made with the same settings" in kept.stdout
    refused = prepare(workspace, "--config", "model_a_4h", "--timeframes", "1D")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "timeframe '4H' → '1D'" in refused.stderr
    assert "--force replaces it" in refused.stderr
    again = prepare(workspace, "--config", "model_a_4h", "--force")
    assert again.returncode == 0, again.stderr
    assert (model_a / "train_data.pkl").read_bytes() == before


def test_dry_run_writes_nothing(workspace: Path) -> None:
    before = sorted(workspace.rglob("*"))
    planned = prepare(workspace, "--config", "model_b_1d", "--dry-run", LOG_LEVEL="DEBUG")
    assert planned.returncode == 0, planned.stderr
    assert "BTC-USDT-SWAP_1D" in planned.stdout
    assert sorted(workspace.rglob("*")) == before


def test_custom_timeframes_records_and_output(workspace: Path) -> None:
    flags = [
        "--timeframes",
        "4H",
        "1D",
        "--records-per-timeframe",
        "900",
        "--output-dir",
        "custom_data/model_a",
        "--json",
    ]
    done = prepare(workspace, "--config", "model_a_4h", *flags)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["output_directory"] == "custom_data/model_a"
    assert len(printed["series"]) == 6
    assert {facts["rows"] for facts in printed["series"].values()} == {900}


def test_environment_variables(workspace: Path) -> None:
    variables = {
        "KRONOS_OUTPUT_DIR": "data/custom_location",
        "KRONOS_TIMEFRAMES": "4H,1D",
        "KRONOS_RECORDS_PER_TF": "800",
    }
    done = prepare(workspace, "--config", "model_a_4h", "--no-copy", **variables)
    assert done.returncode == 0, done.stderr
    summary = json.loads((workspace / "data" / "custom_location" / "data_summary.json").read_text("utf-8"))
    assert (summary["timeframes"], summary["records_per_timeframe"]) == (["4H", "1D"], 800)


def test_the_seven_checks(workspace: Path) -> None:
    checked = run(workspace, "python", "test_multi_data_preparation.py")
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("✅") == 7


def test_syntax_check_and_help(workspace: Path) -> None:
    assert run(workspace, "python", "-m", "py_compile", SCRIPT).returncode == 0
    assert "--records-per-timeframe" in prepare(workspace, "--help").stdout


def test_config_manager_lists_as_a_program(workspace: Path) -> None:
    listed = run(workspace, "python", "Kronos/finetune/config_manager.py", "--list-configs")
    assert (listed.returncode, "model_b_1d" in listed.stdout) == (0, True)


def test_prepare_all_models(workspace: Path) -> None:
    done = run(workspace, "bash", "prepare_all_models.sh")
    assert done.returncode == 0, done.stderr
    assert "All model data preparation completed" in done.stdout
    assert (workspace / "data" / "kronos_datasets" / "model_b_1d" / "report.html").exists()


@pytest.mark.parametrize("place", [".", "Kronos/finetune"])
def test_the_same_result_from_every_folder(workspace: Path, model_a: Path, place: str) -> None:
    script = str(workspace / SCRIPT)
    done = run(workspace / place, "python", script, "--config", "model_a_4h", "--force", "--json", "--no-copy")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output_directory"] == "data/kronos_datasets/model_a_4h"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--config", "model_z"], "Configuration validation failed"),
        (["--config", "model_a_4h", "--timeframes", "4h"], "allowed: 1m"),
        (["--config", "model_a_4h", "--colour"], "unrecognized arguments"),
        (["--config", "model_a_4h", "--records-per-timeframe", "x"], "invalid int value"),
        ([], "--config is missing"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(workspace: Path, flags: list[str], message: str) -> None:
    done = prepare(workspace, *flags)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("Error: ")
    assert message in done.stderr


def test_messages_are_chinese_where_the_locale_is(workspace: Path) -> None:
    done = prepare(workspace, "--config", "model_z", KRONOS_LANG="", LC_ALL="zh_CN.UTF-8")
    assert "配置校验失败" in done.stderr
