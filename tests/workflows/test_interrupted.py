"""Killed anywhere, out of disk, twice at once, or refused by the exchange: nothing lost, nothing half, nothing told."""

import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from kronosforge.config import ModelConfig, SourceConfig
from kronosforge.sandbox import running
from kronosforge.workflows.prepare import prepare
from kronosforge.workspace.paths import dataset_folders
from kronosforge.workspace.scaffold import lay

SECRETS = {"OKX_API_KEY": "key-3f9a71", "OKX_API_SECRET": "secret-b27c55", "OKX_API_PASSPHRASE": "phrase-91d0e4"}
FLAGS = ["--config", "model_a_4h", "--symbols", "BTC-USDT-SWAP", "--records-per-timeframe", "1200", "--force"]
KILLS = 50
HASTY = """
from kronosforge.config import ModelConfig, SourceConfig
config = ModelConfig(
    model_name="Model_A_4H",
    target_symbols=["BTC-USDT-SWAP_4H"],
    source=SourceConfig(retries=0, timeout_s=2),
)
"""


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    with running(clock="2026-01-01T00:00:00Z", rate_limits=False) as server:
        yield server.url


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    lay(tmp_path / "work space")
    return tmp_path / "work space"


def start(workspace: Path, url: str, *command: str, **variables: str) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KRONOS_", "OKX_"))}
    environ = {**inherited, "KRONOS_OKX_URL": url, "KRONOS_LANG": "en", **variables}
    line = [sys.executable, "-m", "kronosforge", *command]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        line, cwd=workspace, env=environ, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    )


def finish(workspace: Path, url: str, *command: str, **variables: str) -> tuple[int, str, str]:
    process = start(workspace, url, *command, **variables)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def tree(workspace: Path) -> dict[str, bytes]:
    """Every file that prepare leaves, without locks and times of day."""
    files = {p.relative_to(workspace).as_posix(): p.read_bytes() for p in workspace.rglob("*") if p.is_file()}
    kept = {name: data for name, data in files.items() if not name.endswith(".lock")}
    for name in [name for name in kept if name.endswith("data_summary.json")]:
        summary = json.loads(kept[name])
        summary["created_at"] = ""
        summary["files"] = [{**file, "modified": ""} for file in summary["files"]]
        kept[name] = json.dumps(summary).encode()
    return kept


def prepare_here(root: Path, url: str) -> None:
    """What a killed process was doing."""
    source = SourceConfig(name="okx", url=url)
    config = ModelConfig(
        name="m", model_name="M", target_symbols=["BTC-USDT-SWAP_4H"], records_per_timeframe=1200, source=source
    )
    prepare(config, dataset_folders(config, root, copy=True), {}, force=True)


def test_killed_at_any_instant_and_run_again_the_bytes_are_the_same(exchange: str, tmp_path: Path) -> None:
    # A fork server has everything imported: the instants fall into the work and not into the imports.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["kronosforge.workflows.prepare", "kronosforge.source.exchanges.okx"])

    def begin(root: Path) -> BaseProcess:
        process = processes.Process(target=prepare_here, args=(root, exchange))
        process.start()
        return process

    began = time.monotonic()
    for folder in ("warm", "whole"):
        began = time.monotonic()
        whole = begin(tmp_path / folder)
        whole.join()
        assert whole.exitcode == 0
    took = time.monotonic() - began
    expected = tree(tmp_path / "whole")
    root = tmp_path / "killed"
    dice = random.Random(7)
    for _ in range(KILLS):
        if dice.random() < 0.5:
            shutil.rmtree(root / "data" / "candles", ignore_errors=True)
        process = begin(root)
        time.sleep(took * dice.random())
        process.kill()
        process.join()
    again = begin(root)
    again.join()
    assert again.exitcode == 0
    assert tree(root) == expected


def test_a_full_disk_is_said_and_the_old_dataset_stands(workspace: Path, exchange: str, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=7m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        code, _, err = finish(workspace, exchange, "prepare", *FLAGS, "--output-dir", str(small / "set"))
        assert code == 0, err
        before = tree(small)
        (small / "ballast").write_bytes(bytes(shutil.disk_usage(small).free - 100_000))
        code, _, err = finish(workspace, exchange, "prepare", *FLAGS, "--output-dir", str(small / "set"))
        assert (code, err.count("\n")) == (4, 1)
        assert "no space left" in err
        (small / "ballast").unlink()
        assert tree(small) == before
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_two_at_once_one_waits_and_both_end_well(workspace: Path, exchange: str) -> None:
    both = [start(workspace, exchange, "prepare", *FLAGS) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert finish(workspace, exchange, "verify", "model_a_4h")[0] == 0


@pytest.mark.parametrize("command", [["check"], ["prepare", *FLAGS]])
def test_no_secret_reaches_an_output_or_a_file(workspace: Path, exchange: str, command: list[str]) -> None:
    code, out, err = finish(workspace, exchange, *command, **SECRETS, LOG_LEVEL="DEBUG")
    assert code == (3 if command == ["check"] else 0), err
    written = b"".join(path.read_bytes() for path in workspace.rglob("*") if path.is_file()).decode("utf-8", "replace")
    for secret in SECRETS.values():
        assert secret not in out + err + written


def test_incomplete_credentials_are_named(workspace: Path, exchange: str) -> None:
    code, _, err = finish(workspace, exchange, "prepare", *FLAGS, OKX_API_KEY="k")
    assert code == 3
    assert "API credentials missing: OKX_API_SECRET, OKX_API_PASSPHRASE" in err


def test_no_network_is_one_line_and_leaves_what_was_there(workspace: Path, exchange: str) -> None:
    assert finish(workspace, exchange, "prepare", *FLAGS)[0] == 0
    before = tree(workspace)
    hasty = workspace / "model_a_4h.py"
    hasty.write_text(HASTY, "utf-8")
    code, out, err = finish(workspace, "http://127.0.0.1:9", "prepare", "--config", "model_a_4h.py", "--force")
    assert (code, out) == (3, "")
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    hasty.unlink()
    assert tree(workspace) == before
