"""Forecasts: many sampled futures of each series, one bar a step, with cached keys and values."""

from kronosforge.cpu import settle
from kronosforge.forecast.forecaster import Forecaster as Forecaster
from kronosforge.forecast.result import Forecast as Forecast

settle()
