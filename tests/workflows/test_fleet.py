"""Exit codes of a fleet."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

from kronosforge.train.state import StageProgress
from kronosforge.workflows.fleet import (
    fleet_code,
    model_code,
    read_stages,
    record_times,
    summary_lines,
    unchanged_stages,
)


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
    progress = {**asdict(StageProgress(epochs=[epoch], finished=True))}
    record = tmp_path / "tokenizer" / "last" / "training.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"progress": progress, "facts": {"dataset": "0"}}))
    before = record_times(tmp_path)
    assert read_stages(tmp_path).keys() == {"tokenizer"}
    assert unchanged_stages(tmp_path, before) == ["tokenizer"]
    assert read_stages(tmp_path, ["tokenizer"]) == {}
    os.utime(record, ns=(0, before["tokenizer"] + 1))
    assert unchanged_stages(tmp_path, before) == []


def test_a_model_that_was_kept_is_one_line_without_the_figures_of_its_training() -> None:
    stage = {"headline": "loss", "scores": [2.0, 1.0], "best_epoch": 1}
    facts = {"status": "done", "seconds": 1.0, "log": "m.log", "error": "", "resume": None}
    summary = {"models": {"m": {**facts, "stages": {"tokenizer": stage, "predictor": stage}}}}
    (line,) = summary_lines(summary, {"m": ["tokenizer", "predictor"]})
    assert line.startswith("✅ m: kept, as it was trained with the same settings and data")
    first, *others = summary_lines(summary, {"m": ["tokenizer"]})
    assert first.startswith("✅ m: done")
    assert others == ["   predictor: loss 2.0000 → 1.0000 after epoch 1 of 1"]
