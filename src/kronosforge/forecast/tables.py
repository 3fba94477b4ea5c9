"""pandas out: the paths of one forecast as tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kronosforge.core.candles import FEATURES
from kronosforge.forecast.history import Instants
from kronosforge.forecast.spelling import Labels

Paths = NDArray[np.float64]  # (samples, T, 6)


def index(times: Instants, labels: Labels) -> pd.DatetimeIndex:
    """Instants (T,), ms UTC, as `labels` write them."""
    naive = pd.DatetimeIndex(times.astype("M8[ms]"), name=labels.name)
    if labels.zone is None:
        return naive
    if labels.dates:
        return naive.tz_localize(labels.zone, ambiguous=np.ones(len(naive), bool), nonexistent="shift_forward")
    return naive.tz_localize("UTC").tz_convert(labels.zone)


def quantiles(paths: Paths, times: pd.DatetimeIndex, columns: Sequence[str], levels: Sequence[float]) -> pd.DataFrame:
    """A row a bar, columns (feature, level)."""
    values = np.quantile(paths, levels, axis=0)  # (levels, T, 6)
    heads = pd.MultiIndex.from_product([columns, levels], names=["feature", "quantile"])
    return pd.DataFrame(values.transpose(1, 2, 0).reshape(len(times), -1), times, heads)


def mean(paths: Paths, times: pd.DatetimeIndex, columns: Sequence[str]) -> pd.DataFrame:
    """A row a bar."""
    return pd.DataFrame(paths.mean(axis=0), times, columns)


def paths(paths: Paths, times: pd.DatetimeIndex, columns: Sequence[str]) -> pd.DataFrame:
    """A row a bar and path, indexed by (path, time)."""
    pairs = pd.MultiIndex.from_product([range(len(paths)), times], names=["path", times.name])
    return pd.DataFrame(paths.reshape(-1, len(FEATURES)), pairs, columns)
