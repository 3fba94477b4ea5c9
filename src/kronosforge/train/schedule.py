"""The learning rate as a function of the step alone, so that there is no schedule to save."""

from math import cos, pi


def learning_rate(step: int, steps: int, *, peak: float, warmup: float, kind: str) -> float:
    """The rate of step `step` of `steps`, both counted from 0.

    `onecycle`: torch's OneCycleLR as upstream calls it: a cosine from peak / 10 up to the peak in the first `warmup` of
    all steps, then down to peak / 100,000. `cosine`: a line from 0 up, then a cosine down to peak / 10.
    """
    last = steps - 1
    rise = warmup * steps - 1 if kind == "onecycle" else warmup * steps
    if step <= rise:
        return _between(peak / 10, peak, step / rise) if kind == "onecycle" else peak * (step + 1) / (rise + 1)
    low = peak / 100_000 if kind == "onecycle" else peak / 10
    start = max(rise, 0)
    return _between(peak, low, (step - start) / (last - start) if last > start else 0.0)


def _between(a: float, b: float, share: float) -> float:
    """From `a` at 0 to `b` at 1, along half a cosine."""
    return b + (a - b) / 2 * (1 + cos(pi * share))
