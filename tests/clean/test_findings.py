"""Findings: their order, their text and their JSON."""

import json

import pytest

from kronosforge.clean.findings import ACTIONS, CHECK_SOURCE, KINDS, Finding, Log
from tests.clean.clean_frames import run, spoil, walk, without


@pytest.fixture
def cleaned():
    return run(without(spoil(spoil(walk(), 20, vol=-1.0), 30, low=0.0), 100))


def test_findings_come_in_one_order(cleaned):
    kinds = [finding.kind for finding in cleaned.findings]
    assert kinds == ["not_positive", "negative", "gap"]
    assert kinds == [kind for kind in KINDS if kind in kinds]


def test_a_finding_is_json(cleaned):
    content = json.loads(json.dumps(cleaned.findings[1]._asdict()))
    assert content["kind"] == "negative"
    assert content["count"] == 1
    assert content["action"] == "dropped"
    assert content["examples"][0].startswith("2024-01-01T20:00Z o ")
    assert " v -1 a " in content["examples"][0]


def test_a_finding_is_a_sentence_in_two_languages(monkeypatch):
    finding = Finding("gap", 3, "cut", ("here",))
    monkeypatch.setenv("KRONOS_LANG", "en")
    assert str(finding) == "missing bars, at which the series is split × 3 (cut): here"
    monkeypatch.setenv("KRONOS_LANG", "zh")
    assert str(finding) == "缺失的K线，序列在此分段 × 3（切分）：here"
    assert finding.texts["en"] == "missing bars, at which the series is split (cut)"


def test_the_same_kind_adds_up_and_shows_three_examples():
    log = Log()
    log.add("gap", 2, ["a", "b"])
    log.add("gap", 2, ["c", "d"])
    log.add("jump", 0, [])
    assert log.findings() == [Finding("gap", 4, "cut", ("a", "b", "c"))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_can_refuse_a_series_gives_advice_of_its_own(kind):
    assert KINDS[kind].action in ACTIONS
    assert KINDS[kind].broken <= (KINDS[kind].advice is not CHECK_SOURCE)
