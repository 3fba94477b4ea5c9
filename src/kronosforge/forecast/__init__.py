"""Forecasts: many sampled futures of each series, one bar a step, with cached keys and values."""

import kronosforge.model  # noqa: F401 - first, so that torch is configured before it is loaded
from kronosforge.forecast.forecaster import Forecaster as Forecaster
from kronosforge.forecast.result import Forecast as Forecast
