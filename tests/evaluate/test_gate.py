"""The verdict on constructed winners and losers."""

import numpy as np
import pytest

from kronosforge.core.names import START
from kronosforge.core.verdict import Reason, State, state_of
from kronosforge.evaluate.bootstrap import Blocks, Interval
from kronosforge.evaluate.gate import decide

CRPS = {START: 1.0, "last price": 1.4, "random walk": 1.1}
BETTER, WORSE, UNSURE = Interval(-0.2, -0.3, -0.1), Interval(0.2, 0.1, 0.3), Interval(-0.1, -0.3, 0.1)
UNTOLD = Interval(-0.2, None, None)


def verdict(start: Interval, walk: Interval, last: Interval = BETTER, scratch: bool = False):
    against = {START: start, "random walk": walk, "last price": last}
    return decide(CRPS, against, level=0.95, scratch=scratch)


def test_it_promotes_what_beats_both() -> None:
    decision = verdict(BETTER, BETTER)
    assert decision.state is State.EDGE
    assert decision.keep == "fine-tuned"
    assert decision.baseline == "random walk"
    assert decision.sentence.translated("en") == (
        "Promoted: use the fine-tuned model; against the start checkpoint its CRPS differs by -20.0 % "
        "(95 % interval -30.0 to -10.0 %); against the best baseline (random walk) its CRPS differs by -20.0 % "
        "(95 % interval -30.0 to -10.0 %)."
    )


@pytest.mark.parametrize(("start", "walk"), [(UNSURE, BETTER), (BETTER, UNSURE), (WORSE, WORSE), (UNTOLD, BETTER)])
def test_it_does_not_promote_less_than_that(start: Interval, walk: Interval) -> None:
    decision = verdict(start, walk)
    assert decision.state is State.NO_EDGE
    assert decision.keep == START
    assert decision.sentence.translated("en").startswith("No edge: keep the start checkpoint; ")
    assert decision.sentence.translated("zh").startswith("没有优势（no edge）：保留起始检查点；")


def test_a_weak_baseline_is_not_enough_and_not_needed() -> None:
    assert verdict(BETTER, UNSURE, last=BETTER).state is State.NO_EDGE
    assert verdict(BETTER, BETTER, last=UNSURE).state is State.EDGE


def test_from_scratch_there_is_nothing_to_keep() -> None:
    decision = verdict(BETTER, WORSE, scratch=True)
    assert decision.keep is None
    assert decision.sentence.translated("en").startswith("No edge: do not use this model; ")
    assert verdict(BETTER, BETTER, scratch=True).keep == "fine-tuned"


def test_where_it_cannot_be_told_it_says_so() -> None:
    decision = decide({START: None, "random walk": None}, {}, level=0.95, scratch=False)
    assert (decision.state, decision.keep, decision.baseline) == (State.NO_EDGE, START, "")
    assert decision.both()["against_start"] == {"value": None, "low": None, "high": None}
    assert "too few origins to tell" in decision.sentence.translated("en")


@pytest.mark.parametrize(("edge", "promoted"), [(0.3, True), (0.0, False), (-0.3, False)])
def test_it_sees_an_edge_of_simulated_scores(edge: float, promoted: bool) -> None:
    rng, n = np.random.default_rng(0), 400
    walk = np.abs(rng.normal(size=n))
    ours = walk + rng.normal(size=n) - edge
    blocks = Blocks(n, 5, replicates=400, level=0.95, seed=0)
    [share] = blocks.shares(np.arange(n), ours[:, None], walk[:, None])
    against = {START: share, "random walk": share}
    state = decide({START: 1.0, "random walk": 1.0}, against, level=0.95, scratch=False).state
    assert (state is State.EDGE) is promoted


@pytest.mark.parametrize(
    ("start", "baseline", "state", "reason"),
    [
        ((-0.2, -0.3, -0.1), (-0.2, -0.3, -0.1), State.EDGE, Reason.BETTER_THAN_BOTH),
        ((-0.2, -0.3, -0.1), (0.1, 0.0, 0.2), State.NO_EDGE, Reason.NOT_BETTER_THAN_BASELINE),
        ((0.1, 0.0, 0.2), (-0.2, -0.3, -0.1), State.NO_EDGE, Reason.NOT_BETTER_THAN_START),
        ((0.1, 0.0, 0.2), (0.1, 0.0, 0.2), State.NO_EDGE, Reason.NOT_BETTER_THAN_EITHER),
        ((0.1, None, None), (0.1, None, None), State.NO_EDGE, Reason.TOO_FEW_ORIGINS),
    ],
)
def test_the_state_has_a_reason(start: tuple, baseline: tuple, state: State, reason: Reason) -> None:
    against = {START: Interval(*start), "drift": Interval(*baseline)}
    verdict = decide({START: 1.0, "drift": 1.0}, against, level=0.95, scratch=False)
    assert (verdict.state, verdict.reason) == (state, reason)
    content = verdict.both()
    assert content["promote"] == (state is State.EDGE)
    assert state_of(content) is state
    del content["state"]  # what an older version wrote
    assert state_of(content) is state
