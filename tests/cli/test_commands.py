"""The commands around prepare: what they print, and their exit codes."""

import json
from pathlib import Path

import pytest

from kronosforge.cli import run
from kronosforge.sandbox import running
from kronosforge.workspace.scaffold import lay

FLAGS = [
    "--config",
    "model_a_4h",
    "--symbols",
    "BTC-USDT-SWAP",
    "--records-per-timeframe",
    "800",
    "--no-copy",
    "--json",
]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KRONOS_LANG", "en")
    for name in (
        "KRONOS_SOURCE",
        "KRONOS_OKX_URL",
        "KRONOS_HOME",
        "OKX_API_KEY",
        "OKX_API_SECRET",
        "OKX_API_PASSPHRASE",
    ):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def prepared(workspace: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """What `prepare --json` printed."""
    assert run(["prepare", *FLAGS, "--source", "sandbox"]) == 0
    printed: dict[str, object] = json.loads(capsys.readouterr().out)
    return printed


def test_prepare_prints_one_object_with_what_was_made(prepared: dict[str, object]) -> None:
    assert {"model_name", "output_directory", "fingerprint", "files", "series"} <= prepared.keys()
    series = prepared["series"]["BTC-USDT-SWAP_4H"]  # type: ignore[index]
    assert {"rows", "first", "last", "segments", "gaps", "windows", "findings"} <= series.keys()
    assert series["windows"] == {"train": 460, "val": 20, "test": 20}


def test_verify_passes_and_a_changed_byte_is_found(
    prepared: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", "model_a_4h", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    pickled = Path("data/kronos_datasets/model_a_4h/train_data.pkl")
    content = bytearray(pickled.read_bytes())
    content[len(content) // 2] ^= 1
    pickled.write_bytes(content)
    assert run(["verify", "model_a_4h"]) == 4
    output = capsys.readouterr()
    assert "❌ files" in output.out
    assert output.err.startswith("Error: ")


def test_inspect_shows_what_is_held(prepared: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "--json"]) == 0
    (held,) = json.loads(capsys.readouterr().out)["series"]
    assert (held["venue"], held["series"], held["candles"], held["gaps"]) == ("sandbox", "BTC-USDT-SWAP_4H", 800, 0)


def test_a_second_dry_run_finds_everything_held(
    prepared: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prepare", *FLAGS, "--source", "sandbox", "--dry-run"]) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan["series"]["BTC-USDT-SWAP_4H"]["held"] == 800
    assert (plan["seconds"], plan["windows"]) == (0, {"train": 460, "val": 20, "test": 20})
    assert "--force" in plan["exists"]


def test_check_names_everything_and_fails_where_the_exchange_does_not_answer(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KRONOS_OKX_URL", "http://127.0.0.1:9")
    assert run(["check", "--json"]) == 3
    lines = {line["name"]: line["state"] for line in json.loads(capsys.readouterr().out)["checks"]}
    assert lines == {
        "python": "ok", "packages": "ok", "workspace": "ok", "disk": "ok", "exchange": "fail", "credentials": "ok"
    }  # fmt: skip


def test_check_reports_a_source_that_does_not_exist(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KRONOS_SOURCE", "nowhere")
    assert run(["check", "--json"]) == 2
    checks = {line["name"]: line for line in json.loads(capsys.readouterr().out)["checks"]}
    assert "'nowhere'" in checks["exchange"]["detail"]


def test_check_takes_a_relative_kronos_home_from_the_workspace_as_prepare_does(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / ".env").write_text("KRONOS_HOME=upstream\nKRONOS_SOURCE=sandbox\n", "utf-8")
    monkeypatch.chdir(workspace / "Kronos" / "finetune")
    run(["check", "--json"])
    checks = {line["name"]: line for line in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["upstream checkout"]["detail"].startswith(f"{workspace / 'upstream'}: ")


@pytest.mark.parametrize(
    ("key", "state", "output"),
    [("sandbox-key", "ok", "accepted"), ("sandbox-key-elsewhere", "fail", "50119"), ("no-key", "fail", "50111")],
)
def test_check_asks_the_exchange_about_a_full_set_of_keys(
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: str,
    state: str,
    output: str,
) -> None:
    monkeypatch.setenv("OKX_API_KEY", key)
    monkeypatch.setenv("OKX_API_SECRET", "sandbox-secret")
    monkeypatch.setenv("OKX_API_PASSPHRASE", "sandbox-passphrase")
    with running() as server:
        monkeypatch.setenv("KRONOS_OKX_URL", server.url)
        run(["check", "--json"])
    line = {line["name"]: line for line in json.loads(capsys.readouterr().out)["checks"]}["credentials"]
    assert line["state"] == state
    assert output in line["detail"]


def test_files_are_prepared_from_a_folder_named_from_the_workspace(
    workspace: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "my candles").symlink_to(shared / "data" / "okx")
    assert run(["prepare", *FLAGS, "--source", "files:my candles"]) == 0
    assert json.loads(capsys.readouterr().out)["series"]["BTC-USDT-SWAP_4H"]["rows"] == 800


def test_a_file_without_turnover_says_that_it_was_derived(
    workspace: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared / "data" / "binance"
    flags = ["--config", "model_a_4h", "--symbols", "ETHUSDT", "--timeframes", "1H", "--no-copy", "--json"]
    assert run(["prepare", *flags, "--records-per-timeframe", "3000", "--source", f"files:{folder}"]) == 0
    facts = json.loads(capsys.readouterr().out)["series"]["ETHUSDT_1H"]
    assert facts["provenance"]["derived"] == facts["rows"]


@pytest.mark.parametrize("argv", [["preparee"], ["prepare", "--config"], ["sandbox", "--port", "x"]])
def test_a_wrong_command_line_is_one_line_and_exit_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(argv) == 2
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    assert "--help" in output.err


def test_a_dataset_that_was_never_prepared_is_named_with_the_command_that_makes_it(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", "model_a_4h"]) == 4
    error = capsys.readouterr().err
    assert "model_a_4h holds no finished dataset; prepare it with: kronosforge prepare --config model_a_4h" in error
    assert "--force" not in error
    assert run(["verify", "/no/such/folder"]) == 2
    assert "There is no folder /no/such/folder" in capsys.readouterr().err
