"""The command line itself: without a command, --version, the log, and errors in one printable line."""

import os
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from kronosforge.cli import run
from kronosforge.workspace.scaffold import lay


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KRONOS_LANG", "en")
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    return tmp_path


@pytest.mark.usefixtures("workspace")
def test_without_a_command_the_stages_and_three_commands_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    shown = capsys.readouterr().out
    positions = [shown.index(f" {stage} ") for stage in ("prepare", "verify", "train", "forecast", "evaluate")]
    assert positions == sorted(positions)
    assert all(command in shown for command in ("kronosforge init ", "kronosforge check", "kronosforge pipeline "))


@pytest.mark.usefixtures("workspace")
def test_version_names_ours_python_s_and_torch_s_and_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    ours, python, torch = capsys.readouterr().out.splitlines()
    assert ours == f"kronosforge {version('kronosforge')}"
    assert python == f"Python {sys.version.split()[0]}"
    assert torch.startswith(f"torch {version('torch')}, device ")


@pytest.mark.usefixtures("workspace")
def test_version_does_not_need_torch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # Python's own way of saying that a module cannot be imported
    assert run(["--version"]) == 0
    assert "pip install 'kronosforge[train]'" in capsys.readouterr().out


@pytest.mark.usefixtures("workspace")
def test_control_characters_are_escaped_in_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prepare", "--config", "\x1b[2J\r\n\u202ename.py"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "\\x1b[2J\\r\\n\\u202ename.py" in shown


def dry_run(workspace: Path, **variables: str) -> str:
    """What a dry run says on stderr, as a process: the log is set up once."""
    command = [sys.executable, "-m", "kronosforge", "prepare", "--config", "model_a_4h", "--dry-run"]
    result = subprocess.run(
        command, cwd=workspace, env=environ(**variables), capture_output=True, text=True, check=True
    )
    return result.stderr


def environ(**variables: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("KRONOS_", "OKX_", "LOG_LEVEL"))}
    return {**own, "KRONOS_LANG": "en", **variables}


@pytest.mark.parametrize("level", ["DEBUG", "debug"])
def test_the_log_of_a_dry_run_says_what_was_read_and_what_the_store_was_asked(workspace: Path, level: str) -> None:
    (workspace / ".env").write_text(
        "OKX_API_KEY=a-secret\nOKX_API_SECRET=b-secret\nOKX_API_PASSPHRASE=c-secret\n", "utf-8"
    )
    shown = dry_run(workspace, LOG_LEVEL=level, KRONOS_SOURCE="okx", KRONOS_HOME="/nowhere")
    assert "config_model_A_4H.py" in shown
    assert "KRONOS_SOURCE from the environment: okx" in shown
    assert "OKX_API_KEY from the .env: set" in shown
    assert "okx BTC-USDT-SWAP_4H: wanted " in shown
    assert "secret" not in shown.replace("OKX_API_SECRET", "")


@pytest.mark.parametrize("level", ["", "WARNING", "verbose"])
def test_without_debug_a_dry_run_logs_nothing(workspace: Path, level: str) -> None:
    assert dry_run(workspace, LOG_LEVEL=level, KRONOS_SOURCE="sandbox") == ""


def test_every_request_is_in_the_log(workspace: Path) -> None:
    command = [sys.executable, "-m", "kronosforge", "prepare", "--config", "model_a_4h", "--source", "sandbox"]
    flags = ["--symbols", "BTC-USDT-SWAP", "--records-per-timeframe", "800", "--no-copy"]
    result = subprocess.run(
        [*command, *flags], cwd=workspace, env=environ(LOG_LEVEL="DEBUG"), capture_output=True, text=True, check=True
    )
    requests = [line for line in result.stderr.splitlines() if " publicGet" in line]
    assert [line for line in requests if "publicGetPublicTime" in line]
    assert len([line for line in requests if "'instId': 'BTC-USDT-SWAP', 'bar': '4H'" in line]) >= 3  # of 300 bars


def test_a_reader_that_has_gone_is_no_error(workspace: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m kronosforge configs | true"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=workspace,
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
