"""What a forecast is: every path as an array, and what can be read from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kronosforge.core.candles import FEATURES
from kronosforge.core.console import brief
from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _
from kronosforge.forecast.arguments import checked_levels
from kronosforge.forecast.repair import Violations
from kronosforge.forecast.spelling import Labels

if TYPE_CHECKING:
    import pandas as pd

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Forecast:
    """The sampled futures of one series: arrays, and tables of them in pandas."""

    key: str
    origin: int
    """Open time of the newest known bar, ms UTC."""
    times: npt.NDArray[np.int64]
    """Open times of the bars to come (T,), ms UTC."""
    paths: npt.NDArray[np.float64]
    """(samples, T, 6): open, high, low, close, volume, turnover."""
    violations: Violations
    """What the paths broke of a candle's rules, before any repair."""
    labels: Labels = field(default=Labels(), repr=False)
    notes: tuple[str, ...] = ()
    """What was derived or is missing in the candles that were given."""

    @property
    def columns(self) -> list[str]:
        """Names of the six features, as the caller spells them."""
        return self.labels.columns

    @property
    def index(self) -> "pd.DatetimeIndex":
        """`times`, as the caller writes times."""
        from kronosforge.forecast import tables  # noqa: PLC0415 - loads pandas

        return tables.index(self.times, self.labels)

    def feature(self, name: str) -> npt.NDArray[np.float64]:
        """One feature's paths (samples, T); `name` in the caller's spelling, or Kronos'. Raises UsageError for another."""
        for names in (self.columns, FEATURES):
            if isinstance(name, str) and name in names:
                return self.paths[..., names.index(name)]
        raise UsageError(
            _("There is no feature {name}; choose one of {names}", name=brief(name), names=", ".join(self.columns))
        )

    def quantile(self, name: str, levels: Sequence[float] = LEVELS) -> npt.NDArray[np.float64]:
        """Quantiles of one feature (levels, T), whose `levels` lie in 0 … 1. Raises UsageError."""
        return np.quantile(self.feature(name), checked_levels(levels), axis=0)

    def quantiles(self, levels: Sequence[float] = LEVELS) -> "pd.DataFrame":
        """Quantiles of each feature and bar: a row a bar, columns (feature, level). Raises UsageError."""
        from kronosforge.forecast import tables  # noqa: PLC0415 - loads pandas

        return tables.quantiles(self.paths, self.index, self.columns, checked_levels(levels))

    def mean(self) -> "pd.DataFrame":
        """The mean of the paths, which is all that upstream returns: a row a bar."""
        from kronosforge.forecast import tables  # noqa: PLC0415 - loads pandas

        return tables.mean(self.paths, self.index, self.columns)

    def frame(self) -> "pd.DataFrame":
        """Every path: a row a bar and path, indexed by (path, time)."""
        from kronosforge.forecast import tables  # noqa: PLC0415 - loads pandas

        return tables.paths(self.paths, self.index, self.columns)
