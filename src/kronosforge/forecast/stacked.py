"""The tables of many forecasts, one series under the other."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from kronosforge.forecast.result import Forecast


class Tables(NamedTuple):
    """All series, one under the other."""

    paths: pd.DataFrame  # a row a series, path and bar: index (series, path, datetime), the six features
    quantiles: pd.DataFrame  # a row a series and bar: index (series, datetime), columns such as close_q0.5


def stacked(forecasts: Mapping[str, Forecast], levels: Sequence[float]) -> Tables:
    """The tables of `forecasts`, by series key."""
    paths = pd.concat({key: forecast.frame() for key, forecast in forecasts.items()}, names=["series"])
    fan = pd.concat({key: forecast.quantiles(levels) for key, forecast in forecasts.items()}, names=["series"])
    fan.columns = [f"{feature}_q{level:g}" for feature, level in fan.columns]
    return Tables(paths, fan)
