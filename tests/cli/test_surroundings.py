"""Odd surroundings of a process: closed streams, encodings, folders that cannot be written, proxies, a running loop."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kronosforge.core.i18n import language
from kronosforge.sandbox import running
from kronosforge.workflows.plan import plan
from kronosforge.workflows.prepare import prepare
from kronosforge.workspace.loading import load_config
from kronosforge.workspace.paths import dataset_folders
from kronosforge.workspace.scaffold import lay

MODEL = """
from kronosforge.config import DatasetConfig, ModelConfig, SourceConfig, TrainConfig

config = ModelConfig(
    model_name="Small",
    description="小模型 ✅",
    target_symbols=["BTC-USDT-SWAP_4H"],
    records_per_timeframe=400,
    source=SourceConfig(name="sandbox"),
    dataset=DatasetConfig(lookback=20, predict=4),
    train=TrainConfig(init="scratch", size="tiny", epochs=1, windows_per_epoch=50, device="cpu"),
)
"""
DATASET = Path("data") / "kronos_datasets" / "small"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one small model and its dataset."""
    folder = tmp_path_factory.mktemp("surroundings") / "work"
    lay(folder)
    (folder / "Kronos" / "finetune" / "config_small.py").write_text(MODEL, "utf-8")
    result = kronosforge(folder, "prepare", "--config", "small")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def workspace(prepared: Path, tmp_path: Path) -> Path:
    """A copy of `prepared` that the test may change."""
    return shutil.copytree(prepared, tmp_path / "work")


def kronosforge(
    workspace: Path, *arguments: str, redirect: str = "", prefix: tuple[str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as a process. `redirect` is what a shell adds, such as `<&-`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("KRONOS_", "OKX_", "LOG_LEVEL"))}
    environ = {**own, "KRONOS_LANG": "en", "OMP_NUM_THREADS": "1", **variables}
    command = [*prefix, "sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-m", "kronosforge", *arguments]
    return subprocess.run(
        command, cwd=workspace, env=environ, capture_output=True, encoding="utf-8", errors="replace", check=False
    )


@pytest.mark.parametrize("redirect", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_matter(workspace: Path, redirect: str) -> None:
    shutil.rmtree(workspace / DATASET)
    result = kronosforge(workspace, "prepare", "--config", "small", redirect=redirect)
    assert result.returncode == 0, result.stderr + result.stdout
    assert (workspace / DATASET / "data_summary.json").is_file()


def test_a_dataset_is_not_replaced_where_nobody_can_be_asked(prepared: Path) -> None:
    result = kronosforge(prepared, "prepare", "--config", "small", "--records-per-timeframe", "390", redirect="<&-")
    assert result.returncode == 2
    assert "--force" in result.stderr


@pytest.mark.parametrize("encoding", ["gbk", "cp1252", "ascii"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_an_encoding_cannot_show_is_replaced(prepared: Path, encoding: str, lang: str) -> None:
    result = kronosforge(prepared, "verify", "small", PYTHONIOENCODING=encoding, KRONOS_LANG=lang)
    assert result.returncode == 0, result.stderr
    assert "?" in result.stdout


def test_what_a_plain_posix_locale_cannot_show_is_replaced(prepared: Path) -> None:
    result = kronosforge(prepared, "configs", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert result.returncode == 0, result.stderr
    assert "???" in result.stdout


@pytest.fixture
def read_only() -> Iterator[tuple[str, ...]]:
    """What to put before a command so that its current folder is read-only to it, for root as well."""
    mount = 'mount --bind "$PWD" "$PWD" && mount -o remount,bind,ro "$PWD" && cd "$PWD" && exec "$@"'
    prefix = ("unshare", "--mount", "sh", "-c", mount, "sh")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("this machine does not let us mount a folder read-only")
    yield prefix


@pytest.mark.parametrize("command", ["train", "pipeline"])
def test_a_read_only_workspace_is_one_line_and_exit_4(prepared: Path, read_only: tuple[str, ...], command: str) -> None:
    result = kronosforge(prepared, command, "--models", "small", prefix=read_only)
    assert (result.returncode, result.stderr.count("\n")) == (4, 1), result.stderr
    assert "Read-only file system" in result.stderr


@pytest.mark.parametrize("command", ["train", "pipeline"])
def test_a_file_where_the_logs_belong_is_one_line_and_exit_4(workspace: Path, command: str) -> None:
    (workspace / "logs").write_text("", "utf-8")
    result = kronosforge(workspace, command, "--models", "small")
    assert (result.returncode, result.stderr.count("\n")) == (4, 1), result.stderr
    assert str(workspace / "logs") in result.stderr


def test_training_leaves_no_resource_open(workspace: Path) -> None:
    result = kronosforge(workspace, "train", "--models", "small", PYTHONWARNINGS="error")
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr


def test_an_endpoint_of_the_hub_that_is_no_address_is_exit_2(prepared: Path) -> None:
    flags = ("--models", "small", "--init", "pretrained", "--in-process")
    result = kronosforge(prepared, "train", *flags, HF_ENDPOINT="http://[bad")
    assert result.returncode == 2
    assert "write one such as https://hf-mirror.com" in result.stderr


def test_a_socks_proxy_for_the_hub_says_what_to_write(prepared: Path) -> None:
    result = kronosforge(
        prepared, "train", "--models", "small", "--init", "pretrained", "--in-process", ALL_PROXY="socks5://127.0.0.1:9"
    )
    assert result.returncode == 2
    assert "http://127.0.0.1:7890" in result.stderr


def with_proxy(workspace: Path, proxy: str, source: str) -> None:
    text = MODEL.replace('name="sandbox"', f'name="{source}", proxy="{proxy}", retries=0')
    (workspace / "Kronos" / "finetune" / "config_small.py").write_text(text, "utf-8")
    shutil.rmtree(workspace / "data")


@pytest.mark.parametrize("proxy", ["127.0.0.1:7890", "socks5://127.0.0.1:7890", "http://", "http://[::1", "http://a:b"])
def test_a_proxy_that_is_no_http_address_is_exit_2(workspace: Path, proxy: str) -> None:
    with_proxy(workspace, proxy, "okx")
    result = kronosforge(workspace, "prepare", "--config", "small")
    assert result.returncode == 2
    assert "source.proxy" in result.stderr
    assert "http://127.0.0.1:7890" in result.stderr


def test_a_password_of_a_proxy_is_not_shown(workspace: Path) -> None:
    with_proxy(workspace, "me:secret-word@host:1", "okx")
    assert "secret-word" not in kronosforge(workspace, "prepare", "--config", "small", LOG_LEVEL="DEBUG").stderr


def test_the_sandbox_is_not_reached_through_a_proxy(workspace: Path) -> None:
    with_proxy(workspace, "http://127.0.0.1:9", "sandbox")
    result = kronosforge(workspace, "prepare", "--config", "small", ALL_PROXY="socks5://127.0.0.1:9")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("url", ["http://[bad", "http://a:b", "www.okx.com"])
def test_an_exchange_s_address_that_is_none_is_exit_2(prepared: Path, url: str) -> None:
    result = kronosforge(prepared, "check", "--source", "okx", KRONOS_OKX_URL=url)
    assert result.returncode == 2
    assert "KRONOS_OKX_URL" in result.stdout


def test_plain_functions_work_inside_a_running_loop(workspace: Path) -> None:
    config = load_config("small", str(workspace))
    where = dataset_folders(config, workspace, copy=False)

    async def notebook() -> None:
        assert plan(config, where, {})["windows"]
        assert prepare(config, where, {}, force=True).folder == workspace / DATASET

    asyncio.run(notebook())


@pytest.mark.parametrize(
    ("chosen", "locale", "expected"),
    [("ZH_cn", "en_US.UTF-8", "zh"), (" en ", "zh_CN.UTF-8", "en"), ("??", "zh_CN.UTF-8", "zh"), ("??", "fr_FR", "en")],
)
def test_an_odd_language_falls_back_on_the_locale(
    monkeypatch: pytest.MonkeyPatch, chosen: str, locale: str, expected: str
) -> None:
    monkeypatch.setenv("KRONOS_LANG", chosen)
    monkeypatch.setenv("LC_ALL", locale)
    assert language() == expected


def test_retries_are_shown_with_their_reason_as_they_happen(prepared: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with started(prepared, address) as process:
            assert process.stderr is not None
            first = process.stderr.readline()  # comes while the retries go on, and not at the end
            assert process.poll() is None
            process.kill()
    assert "attempt 1 of 9" in first
    assert "connection refused" in first


def started(workspace: Path, address: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "KRONOS_LANG": "en", "KRONOS_OKX_URL": address}
    command = [sys.executable, "-m", "kronosforge", "prepare", "--config", "small", "--source", "okx", "--force"]
    return subprocess.Popen(
        command, cwd=workspace, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ("429=0.7,seed=1", "failed: HTTP 429"),
        ("reset=0.7,seed=1", "failed: the connection was closed before the response"),
        ("missing=0.7,seed=5", "returned a page without the bar at"),
    ],
)
def test_retries_of_a_download_that_succeeds_are_shown_too(workspace: Path, faults: str, reason: str) -> None:
    with running(faults=faults, rate_limits=False, clock="2026-01-01T00:00:00Z") as server:
        flags = ("--config", "small", "--source", "okx", "--force")
        result = kronosforge(workspace, "prepare", *flags, KRONOS_OKX_URL=server.url)
    assert result.returncode == 0, result.stderr
    assert reason in result.stderr


def test_a_folder_s_name_that_the_disk_refuses_is_exit_4(tmp_path: Path) -> None:
    result = kronosforge(tmp_path, "init", "x" * 300)
    assert (result.returncode, result.stderr.count("\n")) == (4, 1)
    assert "File name too long" in result.stderr


def test_a_folder_s_name_that_is_not_utf_8_can_be_printed(tmp_path: Path) -> None:
    result = kronosforge(tmp_path, "init", os.fsdecode(b"w\xff"))
    assert result.returncode == 0, result.stderr


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    result = kronosforge(tmp_path, "init", "/proc/foo")
    assert (result.returncode, result.stderr.count("\n")) == (4, 1)
    assert "internal error" not in result.stderr


def test_a_full_output_is_one_line(workspace: Path) -> None:
    result = kronosforge(workspace, "configs", redirect=">/dev/full")
    assert result.returncode == 4
    assert "Error: The system refused: No space left on device" in result.stderr
