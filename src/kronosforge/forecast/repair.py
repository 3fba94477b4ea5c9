"""Valid candles: what a sampled path breaks of a candle's rules, counted, and put right by one stated rule.

Kronos draws codes, and nothing in it makes the high the highest or a volume positive (its issue 130).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kronosforge.core.candles import AMT, CLOSE, HIGH, LOW, OPEN, VOL


class Violations(NamedTuple):
    """Bars of raw paths, over all samples, that break a rule; `bars` is how many were looked at."""

    high: int  # below open or close
    low: int  # above open or close
    vol: int  # negative
    amt: int  # negative
    broken: int  # bars that break at least one
    bars: int


def violations(paths: npt.NDArray[np.float64]) -> Violations:
    """Count over `paths` (…, 6), in Kronos' order."""
    body = paths[..., [OPEN, CLOSE]]
    rules = [
        paths[..., HIGH] < body.max(axis=-1),
        paths[..., LOW] > body.min(axis=-1),
        paths[..., VOL] < 0,
        paths[..., AMT] < 0,
    ]
    high, low, vol, amt, broken = (int(rule.sum()) for rule in [*rules, np.logical_or.reduce(rules)])
    return Violations(high, low, vol, amt, broken, bars=rules[0].size)


def repair(paths: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`paths` (…, 6) as valid candles, a copy: high and low are widened to hold open and close, which are what was
    forecast; negative volume and turnover become 0. A valid candle is not changed."""
    fixed = paths.copy()
    body = paths[..., [OPEN, CLOSE]]
    fixed[..., HIGH] = np.maximum(paths[..., HIGH], body.max(axis=-1))
    fixed[..., LOW] = np.minimum(paths[..., LOW], body.min(axis=-1))
    fixed[..., VOL:] = np.maximum(paths[..., VOL:], 0)
    return fixed
