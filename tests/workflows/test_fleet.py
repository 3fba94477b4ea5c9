"""Exit codes of a fleet."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

from kronosforge.train.state import Progress
from kronosforge.workflows.fleet import fleet_code, model_code, read_stages, record_times


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([0, 0], 0),
        ([0], 0),
        ([4], 4),  # such as a disk that refuses
        ([137], 5),  # killed
        ([0, 4], 5),
        ([0, 137], 5),  # killed
        ([5, 130, 4], 130),
    ],
)
def test_a_fleet_ends_with_5_and_a_single_model_with_its_own_code(codes: list[int], code: int) -> None:
    assert fleet_code(codes) == code


@pytest.mark.parametrize(("process", "code"), [(0, 0), (2, 2), (4, 4), (130, 130), (1, 5), (137, 5)])
def test_a_process_that_died_is_a_failed_training(process: int, code: int) -> None:
    assert model_code(process) == code


def test_results_of_an_earlier_run_are_told_apart(tmp_path: Path) -> None:
    epoch = {"epoch": 0, "train": {}, "val": {"reconstruction": 1.0}, "best": True}
    progress = {**asdict(Progress(epochs=[epoch], finished=True))}
    record = tmp_path / "tokenizer" / "last" / "training.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"progress": progress, "facts": {"dataset": "0"}}))
    before = record_times(tmp_path)
    assert read_stages(tmp_path).keys() == {"tokenizer"}
    assert read_stages(tmp_path, before) == {}
    os.utime(record, ns=(0, before["tokenizer"] + 1))
    assert read_stages(tmp_path, before).keys() == {"tokenizer"}
