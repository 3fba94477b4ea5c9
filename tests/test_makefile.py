"""What `make` says while it works: each slow step is announced, with how long it takes."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(("target", "installs"), [("demo", 1), ("pipeline", 2)])
def test_each_install_is_announced_with_its_size_and_is_not_silent(target: str, installs: int) -> None:
    command = ["make", "--always-make", "--just-print", target]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    spoken = [line for line in lines if line.startswith("echo ") or "pip install" in line]
    assert [line.startswith("echo ") for line in spoken] == [True, False] * installs + [True]
    assert all("MB" in line for line in spoken[: 2 * installs : 2])
    assert "seconds" in spoken[-1] or "minutes" in spoken[-1]
    assert not [line for line in lines if "--quiet" in line]
