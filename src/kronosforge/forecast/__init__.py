"""Forecasts: many sampled futures of each series, one bar a step, with cached keys and values."""

import os

# Intel's library otherwise sums in another order for one row than for many, and a path would depend, in its last digits
# and now and then in its ids, on the paths beside it. Read at the library's first product, not before.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

from kronosforge.forecast.forecaster import Forecaster as Forecaster
from kronosforge.forecast.result import Forecast as Forecast
