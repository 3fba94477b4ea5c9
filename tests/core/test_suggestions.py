"""Suggestions for misspelt names."""

import pytest

from kronosforge.core.suggestions import closest, did_you_mean


@pytest.mark.parametrize(
    ("word", "similar"),
    [
        ("model_a_4", ["model_a_4h"]),
        ("MODEL_A_4H", ["model_a_4h"]),
        ("model_4h", ["model_a_4h"]),
        ("model", []),
        ("defult_", ["default"]),
    ],
)
def test_only_what_is_about_as_similar_as_the_best_is_suggested(word: str, similar: list[str]) -> None:
    assert closest(word, ["default", "model_a_4h", "model_b_1d"]) == similar


def test_similar_ones_are_suggested_together() -> None:
    assert closest("--modle", ["--json", "--mode", "--model"]) == ["--mode", "--model"]


def test_the_suggestion_is_appended_to_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_LANG", "en")
    assert did_you_mean(["a", "b"]) == "; did you mean a or b?"
    assert did_you_mean([]) == ""
