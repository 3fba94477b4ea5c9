"""The log of a stage that is resumed."""

import json
from pathlib import Path

import pytest

from kronosforge.core.errors import ModelError
from kronosforge.train.journal import Journal
from kronosforge.train.state import StageProgress

STEPS = [{"kind": "step", "step": step, "epoch": 1, "loss": 1.0} for step in (1, 2, 3)]
EPOCHS = [{"kind": "epoch", "step": 0, "epoch": 0}, {"kind": "epoch", "step": 3, "epoch": 1}]
PROGRESS = StageProgress(epoch=1, step=2, epochs=[{"epoch": 0}])


def write(folder: Path, *lines: object) -> Path:
    path = folder / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_what_came_after_the_saved_step_is_taken_out(tmp_path: Path) -> None:
    path = write(tmp_path, EPOCHS[0], *STEPS, EPOCHS[1])
    with path.open("a") as file:
        file.write('{"kind": "step", "st')
    with Journal(tmp_path, PROGRESS, "m"):
        pass
    assert [json.loads(line) for line in path.read_text().splitlines()] == [EPOCHS[0], *STEPS[:2]]


@pytest.mark.parametrize(
    "line", ["[]", "{}", '{"kind": "step", "step": "x"}', "not JSON", '{"kind": "epoch", "epoch": []}']
)
def test_a_damaged_line_is_named_and_the_file_stays(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, EPOCHS[0])
    damaged = path.read_text() + line + "\n"
    path.write_text(damaged)
    with pytest.raises(ModelError, match=r"metrics\.jsonl:2 is damaged; move that file away"):
        Journal(tmp_path, PROGRESS, "m")
    assert path.read_text() == damaged


def test_the_training_goes_on_without_the_file(tmp_path: Path) -> None:
    with Journal(tmp_path, PROGRESS, "m") as journal:
        journal.step(3, 1, {"loss": 1.0}, 10.0)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1
