"""evaluation.json, read back: what is damaged is named, and made anew where it is only a finished result."""

import json
from pathlib import Path

import pytest

from kronosforge.core.errors import DataError
from kronosforge.evaluate.evaluation import finished
from kronosforge.evaluate.record import WalkRecord, read_evaluation

WHOLE = {
    "schema": 4, "name": "m", "fingerprint": "f", "verdict": None, "horizon": 2, "origins": {"judged": 0, "possibly_seen": 0, "first": None, "last": None}, "models": {},
    "differences": {}, "notes": [], "provenance": {}, "backtest": None,
}  # fmt: skip


def test_a_whole_one_is_read_with_all_that_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(WHOLE))
    assert read_evaluation(path).content == WHOLE
    assert finished(path, "f") == WHOLE
    assert finished(path, "other inputs") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON"),
        (b"[]", "the whole file"),
        (b"\xff", "it is not UTF-8 text"),
        (json.dumps(WHOLE | {"models": []}).encode(), "models: Input should be a valid dictionary"),
        (json.dumps({**WHOLE, "fingerprint": 3}).encode(), "fingerprint: Input should be a valid string"),
    ],
)
def test_a_damaged_one_is_named_and_not_taken_for_finished(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "evaluation.json"
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"evaluation\.json cannot be used: .*; make it anew with: kronosforge evaluate"
    ) as error:
        read_evaluation(path)
    assert reason in str(error.value)
    assert finished(path, "f") is None


VERDICT = {"promote": False, "state": "no edge", "reason": "r", "keep": None, "baseline": "drift", "sentence": {}}
WALK = {**WHOLE, "verdict": VERDICT, "folds": [], "lower_in": {}}


@pytest.mark.parametrize("key", ["folds", "lower_in", "verdict"])
@pytest.mark.parametrize("damage", ["missing", "null"])
def test_a_damaged_walk_is_not_taken_for_finished(tmp_path: Path, key: str, damage: str) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(WALK))
    assert finished(path, "f", WalkRecord) == WALK
    content = {name: value for name, value in WALK.items() if name != key}
    path.write_text(json.dumps(content if damage == "missing" else {**WALK, key: None}))
    assert finished(path, "f", WalkRecord) is None
