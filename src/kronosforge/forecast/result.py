"""What a forecast is: every path, and what can be read from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronosforge.core.candles import FEATURES
from kronosforge.forecast.repair import Violations

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Forecast:
    """The sampled futures of one series."""

    key: str
    origin: pd.Timestamp  # open time of the newest bar known
    index: pd.DatetimeIndex  # (T,), open times of the bars to come
    columns: list[str]  # names of the six features, as the caller spells them
    paths: npt.NDArray[np.float64]  # (samples, T, 6), Kronos' order
    violations: Violations  # before any repair

    def feature(self, name: str) -> npt.NDArray[np.float64]:
        """One feature's paths (samples, T); `name` in the caller's spelling, or Kronos'."""
        names = self.columns if name in self.columns else FEATURES
        return self.paths[..., names.index(name)]

    def quantiles(self, levels: Sequence[float] = LEVELS) -> pd.DataFrame:
        """Quantiles of each feature and bar: a row a bar, columns (feature, level)."""
        values = np.quantile(self.paths, levels, axis=0)  # (levels, T, 6)
        columns = pd.MultiIndex.from_product([self.columns, levels], names=["feature", "quantile"])
        return pd.DataFrame(values.transpose(1, 2, 0).reshape(len(self.index), -1), self.index, columns)

    def mean(self) -> pd.DataFrame:
        """The mean of the paths, which is all that upstream returns: a row a bar."""
        return pd.DataFrame(self.paths.mean(axis=0), self.index, self.columns)

    def frame(self) -> pd.DataFrame:
        """Every path: a row a bar and path, indexed by (path, time)."""
        samples, name = len(self.paths), self.index.name or "datetime"
        index = pd.MultiIndex.from_product([range(samples), self.index], names=["path", name])
        return pd.DataFrame(self.paths.reshape(-1, len(FEATURES)), index, self.columns)
