"""pandas out: forecasts as tables."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from kronosforge.core.candles import FEATURES
from kronosforge.forecast.history import Instants
from kronosforge.forecast.result import Forecast, Labels


class Tables(NamedTuple):
    """All series, one under the other."""

    paths: pd.DataFrame  # a row a series, path and bar: index (series, path, datetime), the six features
    quantiles: pd.DataFrame  # a row a series and bar: index (series, datetime), columns such as close_q0.5


def index(times: Instants, labels: Labels) -> pd.DatetimeIndex:
    """Instants (T,), ms UTC, as `labels` write them."""
    naive = pd.DatetimeIndex(times.astype("M8[ms]"), name=labels.name)
    if labels.zone is None:
        return naive
    if labels.dates:
        return naive.tz_localize(labels.zone, ambiguous=np.ones(len(naive), bool), nonexistent="shift_forward")
    return naive.tz_localize("UTC").tz_convert(labels.zone)


def quantiles(forecast: Forecast, levels: Sequence[float]) -> pd.DataFrame:
    """A row a bar, columns (feature, level)."""
    values = np.quantile(forecast.paths, levels, axis=0)  # (levels, T, 6)
    columns = pd.MultiIndex.from_product([forecast.columns, levels], names=["feature", "quantile"])
    return pd.DataFrame(values.transpose(1, 2, 0).reshape(len(forecast.times), -1), forecast.index, columns)


def mean(forecast: Forecast) -> pd.DataFrame:
    """A row a bar."""
    return pd.DataFrame(forecast.paths.mean(axis=0), forecast.index, forecast.columns)


def paths(forecast: Forecast) -> pd.DataFrame:
    """A row a bar and path, indexed by (path, time)."""
    pairs = pd.MultiIndex.from_product(
        [range(len(forecast.paths)), forecast.index], names=["path", forecast.labels.name]
    )
    return pd.DataFrame(forecast.paths.reshape(-1, len(FEATURES)), pairs, forecast.columns)


def stacked(forecasts: Mapping[str, Forecast], levels: Sequence[float]) -> Tables:
    """The tables of `forecasts`, by series key."""
    every_path = pd.concat({key: paths(forecast) for key, forecast in forecasts.items()}, names=["series"])
    fan = pd.concat({key: quantiles(forecast, levels) for key, forecast in forecasts.items()}, names=["series"])
    fan.columns = [f"{feature}_q{level:g}" for feature, level in fan.columns]
    return Tables(every_path, fan)
