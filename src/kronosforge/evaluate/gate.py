"""The verdict: a fine-tuned model is promoted only where it is clearly better than what was there before it.

Both of two comparisons must hold, so that comparing twice makes no promotion likelier. The baseline is the one with the
lowest mean CRPS on the very bars of the test: the hardest one in hindsight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kronosforge.core.i18n import Message, MessageList
from kronosforge.core.names import START, TUNED
from kronosforge.core.verdict import Reason, State
from kronosforge.evaluate.bootstrap import Interval


@dataclass(frozen=True)
class Verdict:
    """What to use, and why; differences are the fine-tuned model's CRPS less the other's, as shares of the other's: below
    zero where it is better."""

    state: State
    reason: Reason
    keep: str | None  # the model to use; None where there is none worth it
    baseline: str  # the best naive forecast
    against_start: Interval
    against_baseline: Interval
    sentence: Message

    def both(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "promote": self.state is State.EDGE,
            "state": self.state.value,
            "reason": self.reason.value,
            "keep": self.keep,
            "baseline": self.baseline,
            "against_start": self.against_start._asdict(),
            "against_baseline": self.against_baseline._asdict(),
            "sentence": self.sentence.both(),
        }


def decide(
    crps: Mapping[str, float | None], against: Mapping[str, Interval], *, level: float, scratch: bool, folds: int = 1
) -> Verdict:
    """The verdict, given the mean CRPS of the start checkpoint and of each baseline, and the fine-tuned model's differences
    from each, paired, as shares. `scratch`: training started from random weights, so that there is nothing to keep. Over
    several `folds` it is on the way of training, and names no model to use."""
    means = {name: mean for name, mean in crps.items() if name != START and mean is not None}
    baseline = min(means, key=lambda name: means[name]) if means else ""
    nothing = Interval(None, None, None)
    start, naive = against.get(START, nothing), against.get(baseline, nothing)
    reason = _reason(start, naive)
    state = State.EDGE if reason is Reason.BETTER_THAN_BOTH else State.NO_EDGE
    promote = state is State.EDGE
    keep = None if folds > 1 else TUNED if promote else None if scratch else START
    why = [
        _against(Message("the start checkpoint"), start, level),
        _against(Message("the best baseline ({baseline})", baseline=baseline), naive, level),
    ]
    head = _head(promote=promote, scratch=scratch, folds=folds)
    sentence = Message("{head}; {comparisons}.", head=head, comparisons=MessageList(why, "; "))
    return Verdict(state, reason, keep, baseline, start, naive, sentence)


def _reason(start: Interval, baseline: Interval) -> Reason:
    """What the two comparisons say together."""
    if start.low is None or baseline.low is None:
        return Reason.TOO_FEW_ORIGINS
    if start.below_zero and baseline.below_zero:
        return Reason.BETTER_THAN_BOTH
    if start.below_zero:
        return Reason.NOT_BETTER_THAN_BASELINE
    return Reason.NOT_BETTER_THAN_START if baseline.below_zero else Reason.NOT_BETTER_THAN_EITHER


def _head(*, promote: bool, scratch: bool, folds: int) -> Message:
    if folds > 1:
        edge = Message("Edge over {folds} folds", folds=folds)
        return edge if promote else Message("No edge over {folds} folds", folds=folds)
    if promote:
        return Message("Promoted: use the fine-tuned model")
    if scratch:
        return Message("No edge: do not use this model")
    return Message("No edge: keep the start checkpoint")


def _against(other: Message, difference: Interval, level: float) -> Message:
    """One comparison in per cent of the other's CRPS."""
    if difference.value is None or difference.low is None or difference.high is None:
        return Message("against {other} there are too few origins to tell", other=other)
    value, low, high = (100 * part for part in (difference.value, difference.low, difference.high))
    return Message(
        "against {other} its CRPS differs by {value:+.1f} % ({level:g} % interval {low:+.1f} to {high:+.1f} %)",
        other=other,
        value=value,
        level=100 * level,
        low=low,
        high=high,
    )
