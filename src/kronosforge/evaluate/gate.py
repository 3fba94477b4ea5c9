"""The verdict: a fine-tuned model is promoted only where it is clearly better than what was there before it.

Both of two comparisons must hold, so that comparing twice makes no promotion likelier. The baseline is the one with the
lowest mean CRPS on the very bars of the test: the hardest one in hindsight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kronosforge.core.i18n import Text
from kronosforge.core.verdict import Reason, State
from kronosforge.evaluate.bootstrap import Interval

TUNED, START = "fine-tuned", "pretrained"


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
    sentence: Text

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
    known = {name: mean for name, mean in crps.items() if name != START and mean is not None}
    baseline = min(known, key=lambda name: known[name]) if known else ""
    nothing = Interval(None, None, None)
    start, naive = against.get(START, nothing), against.get(baseline, nothing)
    reason = _reason(start, naive)
    state = State.EDGE if reason is Reason.BETTER_THAN_BOTH else State.NO_EDGE
    promote = state is State.EDGE
    keep = None if folds > 1 else TUNED if promote else None if scratch else START
    why = [
        _against("the start checkpoint", "起始检查点", start, level),
        _against(f"the best baseline ({baseline})", f"最佳基线({baseline})", naive, level),
    ]
    head = _head(promote=promote, scratch=scratch, folds=folds)
    sentence = Text(f"{head.en}; {'; '.join(w.en for w in why)}.", f"{head.zh};{';'.join(w.zh for w in why)}。")
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


def _head(*, promote: bool, scratch: bool, folds: int) -> Text:
    if folds > 1:
        edge = Text(f"Edge over {folds} folds", f"{folds} 折总体有优势")
        return edge if promote else Text(f"No edge over {folds} folds", f"{folds} 折总体没有优势(no edge)")
    if promote:
        return Text("Promoted: use the fine-tuned model", "采用:使用微调后的模型")
    if scratch:
        return Text("No edge: do not use this model", "没有优势(no edge):不要使用该模型")
    return Text("No edge: keep the pretrained model", "没有优势(no edge):保留预训练模型")


def _against(en: str, zh: str, difference: Interval, level: float) -> Text:
    """One comparison in per cent of the other's CRPS."""
    if difference.value is None or difference.low is None or difference.high is None:
        return Text(f"against {en} there are too few origins to tell", f"与{zh}相比:起点太少,无法判断")
    value, low, high = (100 * part for part in (difference.value, difference.low, difference.high))
    return Text(
        f"against {en} its CRPS differs by {value:+.1f} % ({100 * level:g} % interval {low:+.1f} to {high:+.1f} %)",
        f"其 CRPS 相对{zh}为 {value:+.1f} %({100 * level:g} % 区间 {low:+.1f} 至 {high:+.1f} %)",
    )
