"""What an evaluation may conclude, and why: the words that evaluation.json, the console and the pages share."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """The conclusion."""

    EDGE = "edge"
    NO_EDGE = "no edge"
    NOT_ENOUGH_EVIDENCE = "not enough evidence"


class Reason(StrEnum):
    """What the conclusion rests on; `start` is the checkpoint that training began with."""

    BETTER_THAN_BOTH = "better than start and baseline"
    NOT_BETTER_THAN_START = "not better than start"
    NOT_BETTER_THAN_BASELINE = "not better than baseline"
    NOT_BETTER_THAN_EITHER = "not better than either"
    TOO_FEW_ORIGINS = "too few origins to compare"


def state_of(verdict: Mapping[str, Any] | None) -> State | None:
    """The state of a verdict as evaluation.json holds it; before 2026-11-26 it said with `promote` alone."""
    if not verdict:
        return None
    if "state" in verdict:
        return State(verdict["state"])
    return State.EDGE if verdict.get("promote") else State.NO_EDGE
