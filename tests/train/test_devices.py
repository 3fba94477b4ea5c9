"""Which processes train together, by the environment: torchrun's, leftovers of another job, nonsense."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kronosforge.core.errors import UsageError
from kronosforge.train.devices import Group, group, open_place

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch):
    """The variables of torchrun as given, and no others."""

    def only(variables: dict[str, str]) -> None:
        for name in TORCHRUN:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return only


def test_torchrun_names_the_process(environment) -> None:
    environment(TORCHRUN)
    assert group() == Group(rank=1, world=2, local_rank=1)


@pytest.mark.parametrize(
    "leftover", [{}, {"WORLD_SIZE": "2"}, {"WORLD_SIZE": ""}, {"RANK": "1"}, {"RANK": "", "WORLD_SIZE": " "}]
)
def test_leftovers_of_another_job_are_no_group(environment, leftover: dict[str, str]) -> None:
    environment(leftover)
    assert group() is None
    with open_place("cpu", "float32") as here:
        assert (here.rank, here.world, here.main) == (0, 1, True)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE='two' in the environment is not a whole number"),
        ({"RANK": "-1", "WORLD_SIZE": "2"}, "RANK='-1' in the environment is not a whole number"),
        ({**TORCHRUN, "RANK": "2"}, "RANK=2, WORLD_SIZE=2"),
        ({**TORCHRUN, "MASTER_ADDR": ""}, "start it with torchrun, or unset RANK and WORLD_SIZE"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "start it with torchrun, or unset RANK and WORLD_SIZE"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(environment, variables: dict[str, str], message: str) -> None:
    environment(variables)
    with pytest.raises(UsageError, match=re.escape(message)), open_place("cpu", "float32"):
        pass


def test_the_command_line_says_so_in_one_line() -> None:
    command = [sys.executable, "-m", "kronosforge", "train", "--models", "model_a_4h", "--in-process"]
    environ = {**os.environ, "RANK": "zero", "KRONOS_LANG": "en"}
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "RANK='zero' in the environment is not a whole number" in done.stderr
