"""What costs nothing and is hard to beat: forecasts from the lookback's closes alone.

Each gives relative closes (B, S, H) as a model does; all but the random walk are points, S = 1.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.special import ndtri

from kronosforge.core.bars import DAY, WEEK, Bar
from kronosforge.core.candles import CLOSE
from kronosforge.evaluate.bootstrap import Floats
from kronosforge.evaluate.metrics import Paths
from kronosforge.evaluate.rolling import Lookback
from kronosforge.forecast.sampling import uniforms

Baseline: TypeAlias = Callable[[Lookback], Paths]
LEAST = 2.0**-54  # a uniform number of 0 would be a step of −∞


def baselines(bars: list[Bar], lookback: int, samples: int, seed: int) -> dict[str, Baseline]:
    """The baselines by name; the seasonal one where a season fits into the lookback of every bar."""
    forecasts: dict[str, Baseline] = {"last price": last_price, "drift": drift}
    if all(lookback * bar.length >= season(bar) for bar in bars):
        forecasts["seasonal naive"] = seasonal
    forecasts["random walk"] = lambda lookback: random_walk(lookback, samples, seed)
    return forecasts


def season(bar: Bar) -> int:
    """ms: a day for bars within one, a week for days, a year of 52 weeks for weeks."""
    return DAY if bar.length < DAY else WEEK if bar.length < WEEK else 52 * WEEK


def last_price(lookback: Lookback) -> Paths:
    """Nothing changes."""
    return _point(np.zeros(lookback.ahead.shape))


def drift(lookback: Lookback) -> Paths:
    """The straight line through the first and the last close, carried on."""
    close = _closes(lookback)
    slope = -close[:, :1] / (close.shape[1] - 1)
    return _point(slope * np.arange(1, lookback.ahead.shape[1] + 1))


def seasonal(lookback: Lookback) -> Paths:
    """The closes of the last season again. A season is as many bars as opened in its length: five days make the week of
    a market that rests on two."""
    close, horizon = _closes(lookback), np.arange(lookback.ahead.shape[1])
    periods = np.array([season(bar) for bar in lookback.bars])[:, None]
    bars = (lookback.times > lookback.times[:, -1:] - periods).sum(axis=1, keepdims=True)  # (B, 1)
    return _point(np.take_along_axis(close, close.shape[1] - bars + horizon % bars, axis=1))


def random_walk(lookback: Lookback, samples: int, seed: int) -> Paths:
    """Gaussian steps without drift, as wide as the lookback's logarithmic returns."""
    width = np.diff(np.log1p(_closes(lookback)), axis=1).std(axis=1, ddof=1)
    horizon = lookback.ahead.shape[1]
    dice = np.stack(
        [
            uniforms(f"random walk {key}", int(times[-1]), seed, range(samples), horizon)[..., 0]
            for key, times in zip(lookback.series, lookback.times, strict=True)
        ]
    )
    steps = ndtri(np.maximum(dice, LEAST)) * width[:, None, None]  # (B, S, H)
    return _paths(np.expm1(steps.cumsum(axis=2)))


def _closes(lookback: Lookback) -> Floats:
    """(B, L) relative to the last one, which is 0."""
    close = lookback.candles[:, :, CLOSE]
    relative: Floats = close / close[:, -1:] - 1
    return relative


def _point(close: Floats) -> Paths:
    return _paths(close[:, None])


def _paths(close: Floats) -> Paths:
    nothing = np.full(len(close), np.nan)
    return Paths(close, gap=nothing, violations=nothing)
