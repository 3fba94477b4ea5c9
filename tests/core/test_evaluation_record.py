"""evaluation.json, read back: everything that is printed or read of it has a type, and damage is named in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from kronosforge.core.errors import DataError
from kronosforge.core.evaluation_record import LAYOUT, EvaluationRecord, WalkRecord, read_evaluation

REMEDY = "kronosforge evaluate --config m --force"
INTERVAL = {"value": 0.1, "low": None, "high": None}
METRICS = ("crps", "mae", "mase", "hit", "ic", "rank_ic", "coverage_90", "gap")
POOLED = dict.fromkeys(METRICS, INTERVAL)
MODELS = ("fine-tuned", "start", "drift")
ORIGINS = {"judged": 0, "possibly_seen": 0, "first": None, "last": None}
TEXT = {"en": "n", "zh": "n"}
VERDICT = {"promote": False, "state": "no edge", "reason": "r", "keep": None, "baseline": "drift", "sentence": TEXT}
DIFFERENCES = {"fine-tuned": {"drift": {"crps": INTERVAL, "mae": INTERVAL, "hit": INTERVAL}}}
HEAD = {
    "schema": LAYOUT, "name": "m", "fingerprint": "f", "verdict": VERDICT, "horizon": 2, "origins": ORIGINS,
    "differences": DIFFERENCES, "possibly_seen": None, "notes": [TEXT],
    "provenance": {"dataset": "d", "models": {}, "settings": {}, "versions": {}},
}  # fmt: skip
STRATEGY = {"return": 0.1, "sharpe": INTERVAL, "drawdown": 0.1, "turnover": 2.0, "turnover_per_year": 20.0}
CLOSES = {"time": [1], "close": [1.0]}
EVALUATION: dict[str, Any] = {
    **HEAD,
    "models": {
        name: {"kind": "model", "pooled": POOLED, "series": {}, "calibration": {"pit": None, "coverage": [[0.5, None]]}}
        for name in MODELS
    },
    "backtest": {
        "label": TEXT, "fee_bps": 5.0, "slippage_bps": 2.0,
        "bars": {"4H": {"holdings": 1, "from": "a", "to": "b", "strategies": {"drift": {"long/flat": STRATEGY}}}},
    },
    "examples": [{
        "which": "best", "model": "drift", "series": "A_4H", "origin": "2026-01-01T00:00Z", "crps": 0.1,
        "history": CLOSES, "ahead": CLOSES, "quantiles": {"0.5": [1.0]},
    }],
}  # fmt: skip
ROW = {
    "fold": 1, "fingerprint": "r", "verdict": VERDICT, "origins": ORIGINS, "differences": DIFFERENCES,
    "models": {name: {"kind": "model", "pooled": POOLED} for name in MODELS},
}  # fmt: skip
WALK: dict[str, Any] = {**HEAD, "models": ROW["models"], "folds": [ROW], "lower_in": {"drift": 1}}
ABSENT = object()
TEXTS = ("name", "fingerprint", "first", "zh", "en", "dataset", "from")  # fields in which "NaN" is no damage


def changed(content: Any, keys: list[str], value: object) -> Any:
    """A copy of `content` with `value` under `keys`, or without the key where `value` is ABSENT."""
    if not keys:
        return value
    key, *rest = keys
    if isinstance(content, list):
        return [changed(content[0], rest, value), *content[1:]]
    if not rest and value is ABSENT:
        return {name: part for name, part in content.items() if name != key}
    return {**content, key: changed(content.get(key), rest, value)}


def written(folder: Path, content: object) -> Path:
    path = folder / "evaluation.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(("kind", "content"), [(EvaluationRecord, EVALUATION), (WalkRecord, WALK)])
def test_a_whole_one_is_read_with_all_that_it_holds(tmp_path: Path, kind: Any, content: dict[str, Any]) -> None:
    record = read_evaluation(written(tmp_path, content), kind, REMEDY)
    assert record is not None
    assert record.content == content


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON"),
        ("[]", "the whole file"),
        (json.dumps(EVALUATION)[:-40], "it is not JSON"),
        (json.dumps(EVALUATION).replace("0.1", "NaN"), "it holds NaN, which is not a number"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_text_is_named_with_the_command(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DataError, match=rf"evaluation\.json cannot be used: .*; recreate it with: {REMEDY}") as error:
        read_evaluation(written(tmp_path, text), EvaluationRecord, REMEDY)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "path",
    [
        "schema", "name", "horizon", "fingerprint", "verdict", "verdict.state", "verdict.keep", "verdict.sentence.zh", "origins.judged",
        "origins.first", "models", "models.drift", "models.fine-tuned.pooled.rank_ic", "models.drift.pooled.crps.low",
        "models.drift.series", "models.drift.calibration.pit", "differences.fine-tuned.drift.hit", "notes.0.en",
        "provenance.dataset", "provenance.models", "provenance.settings", "possibly_seen", "backtest",
        "backtest.label.en", "backtest.fee_bps", "backtest.bars.4H.from", "examples", "examples.0.history.close",
        "backtest.bars.4H.strategies.drift.long/flat.turnover", "examples.0.quantiles", "examples.0.origin",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [ABSENT, "NaN", [None]])
def test_each_field_that_is_shown_has_a_type(tmp_path: Path, path: str, value: object) -> None:
    if value == "NaN" and path.rpartition(".")[2] in TEXTS:
        value = 3
    with pytest.raises(DataError, match="cannot be used"):
        read_evaluation(written(tmp_path, changed(EVALUATION, path.split("."), value)), EvaluationRecord, REMEDY)


@pytest.mark.parametrize("path", ["folds", "lower_in", "verdict", "folds.0.fold", "folds.0.models.start", "folds.0.verdict.baseline", "folds.0.origins.judged", "folds.0.models.drift.pooled.crps"])  # fmt: skip
@pytest.mark.parametrize("value", [ABSENT, None, "text"])
def test_each_field_of_a_walk_has_a_type(tmp_path: Path, path: str, value: object) -> None:
    with pytest.raises(DataError, match="cannot be used"):
        read_evaluation(written(tmp_path, changed(WALK, path.split("."), value)), WalkRecord, REMEDY)


def test_there_is_none_where_no_file_is_or_another_version_wrote_it(tmp_path: Path) -> None:
    assert read_evaluation(tmp_path / "evaluation.json", EvaluationRecord, REMEDY) is None
    older = {key: value for key, value in EVALUATION.items() if key != "backtest"} | {"schema": LAYOUT - 2}
    assert read_evaluation(written(tmp_path, older), EvaluationRecord, REMEDY) is None


@pytest.mark.parametrize(("kind", "content"), [(EvaluationRecord, EVALUATION), (WalkRecord, WALK)])
def test_an_evaluation_that_calls_the_start_checkpoint_pretrained_is_read(
    tmp_path: Path, kind: Any, content: dict[str, Any]
) -> None:
    former = json.loads(json.dumps({**content, "schema": 4}).replace('"start"', '"pretrained"'))
    assert former != content
    record = read_evaluation(written(tmp_path, former), kind, REMEDY)
    assert record is not None
    assert record.content == content


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").mkdir()
    with pytest.raises(DataError, match=rf"evaluation\.json is a folder.*then run: {REMEDY}"):
        read_evaluation(tmp_path / "evaluation.json", EvaluationRecord, REMEDY)


def test_a_file_in_the_place_of_its_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("")
    with pytest.raises(DataError, match=r"evaluation\.json cannot be used: Not a directory"):
        read_evaluation(tmp_path / "model" / "evaluation.json", EvaluationRecord, REMEDY)
