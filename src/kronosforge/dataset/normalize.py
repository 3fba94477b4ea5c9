"""The one normalisation: what training, forecasting and verifying do to candles before Kronos sees them.

Source: shiyu-coder/Kronos, finetune/dataset.py and model/kronos.py (67b630e): mean and population standard deviation of
the lookback only, per window and feature; (x − mean) / (std + 1e-5); clipped. Its finetune_csv takes them over the whole
window, so that the input tells the future: not here.
"""

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

EPSILON = 1e-5
Floats = TypeVar("Floats", np.float32, np.float64)


class Scale(NamedTuple):
    """Where a window's candles lie: normalised = (x − mean) / spread, x = normalised × spread + mean."""

    mean: npt.NDArray[np.float64]  # (…, 1, 6)
    spread: npt.NDArray[np.float64]  # (…, 1, 6), standard deviation + 1e-5


def scale(lookback: npt.NDArray[Floats]) -> Scale:
    """The scale of `lookback` (…, L, 6), the bars that are known when the forecast is made.

    Summed in float64: in float32, as upstream does, ninety equal prices of 60000.1 have a deviation of 0.06 and so come
    out as ±1 instead of 0. On real candles the results differ by less than 1e-4.
    """
    past = lookback.astype(np.float64, copy=False)
    return Scale(past.mean(axis=-2, keepdims=True), past.std(axis=-2, keepdims=True) + EPSILON)


def normalize(window: npt.NDArray[Floats], lookback: int, clip: float) -> npt.NDArray[Floats]:
    """`window` (…, T, 6), of which the first `lookback` bars are known, scaled by those and clipped to ± `clip`.

    Same shape and dtype as `window`, which is not changed.
    """
    mean, spread = scale(window[..., :lookback, :])
    return np.clip((window - mean) / spread, -clip, clip).astype(window.dtype)
