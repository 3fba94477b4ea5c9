"""pandas in: a frame of candles to arrays, or a reason why not."""

import numbers
from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias
from unicodedata import category

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from kronosforge.config import ALWAYS_OPEN
from kronosforge.core.bars import DAY
from kronosforge.core.candles import PRICES, derived_turnover
from kronosforge.core.console import brief, printable
from kronosforge.core.errors import DataError, UsageError
from kronosforge.core.i18n import MessageList, _
from kronosforge.forecast.future import Schedule, check_calendar, check_given, schedule
from kronosforge.forecast.history import LEAST, History, Instants, Values, check
from kronosforge.forecast.labels import instants
from kronosforge.forecast.spelling import Labels

FutureTimes: TypeAlias = (
    pd.DatetimeIndex | Sequence[object] | Mapping[str, pd.DatetimeIndex] | Mapping[str, Sequence[object]] | None
)
"""Open times to come: datetimes, text or numbers as in a frame; for all series, or by key."""

TIMES = ("timestamps", "timestamp", "datetime", "date", "time", "ts")
NOT_IN_LINE = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories: control characters, lone surrogates, line breaks
MOST_NAMES = 20  # columns that a message lists
VOLUME, TURNOVER = ("vol", "volume"), ("amt", "amount")


class Table(NamedTuple):
    """A frame, read."""

    bars: History
    labels: Labels
    notes: tuple[str, ...]


class Times(NamedTuple):
    """The open times of a frame's rows."""

    instants: Instants  # (n,), ms UTC; of dates, see `Labels.dates`
    labels: Labels


def read_all(
    frames: Mapping[Any, object], horizon: int, lookback: int | None, future: object, calendar: object
) -> dict[str, Table]:
    """`read` for each frame by its key, which must be text. Raises DataError, UsageError and ConfigError."""
    for key in frames:
        if not isinstance(key, str) or any(category(letter) in NOT_IN_LINE for letter in key):
            raise UsageError(
                _(
                    "The key {key} cannot name a series; use text in one line, such as {example}",
                    key=brief(key),
                    example=repr("BTC-USDT-SWAP_4H"),
                )
            )
    check_calendar(calendar)
    times = list(future) if isinstance(future, Iterator) else future
    return {key: read(key, frame, horizon, lookback, times, str(calendar)) for key, frame in frames.items()}


def read(key: str, frame: object, horizon: int, lookback: int | None, future: object, calendar: str) -> Table:
    """The newest `lookback` bars of `frame`, or all of them, and the `horizon` open times after them.

    `future`: those times, for all series or by key; without it they follow `calendar`. Raises DataError for candles that
    cannot be used, UsageError for future times that are not usable or cannot be inferred.
    """
    if not isinstance(frame, pd.DataFrame):
        raise UsageError(
            _(
                "{key}: a pandas DataFrame is expected, and this is a {name}; pass a DataFrame, or a dict with one for each "
                "series (tables of polars and pyarrow have to_pandas())",
                key=key,
                name=_type_name(frame),
            )
        )
    newest = slice(None if lookback is None else -lookback, None)
    times = _times(key, frame, dates=calendar != ALWAYS_OPEN)
    values, columns, notes = _values(key, frame)
    opens, values = times.instants[newest], values[newest]
    check(key, opens, values, lookback or LEAST)
    plan = _ahead(key, opens, horizon, future, calendar, times.labels)
    if plan.missing:
        notes += (
            _(
                "{key}: {missing} bars of {calendar} are missing in the history",
                key=key,
                missing=plan.missing,
                calendar=calendar,
            ),
        )
    return Table(History(opens, values, plan.ahead), times.labels._replace(columns=columns), notes)


def _ahead(key: str, opens: Instants, horizon: int, future: object, calendar: str, labels: Labels) -> Schedule:
    if future is None:
        return schedule(key, opens, horizon, calendar)
    if isinstance(future, Mapping) and key not in future:
        raise UsageError(
            _(
                "{key}: future= has no times for it; it has {keys}",
                key=key,
                keys=", ".join(map(str, future)) or _("none"),
            )
        )
    times: Any = future[key] if isinstance(future, Mapping) else future
    ahead, zone = instants(f"{key}: future", times, UsageError)
    if zone is None and labels.zone is not None and not labels.dates:  # local times, as the frame's own
        ahead = _localized(key, ahead, labels.zone)
    check_given(key, int(opens[-1]), ahead, horizon)
    return Schedule(ahead)


def _localized(key: str, ahead: Instants, zone: tzinfo) -> Instants:
    """Times on the clocks of `zone` as ms UTC. Raises UsageError for one that the zone has twice or not at all."""
    wall = pd.DatetimeIndex(ahead.view("M8[ms]"))
    local = wall.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    if local.hasnans:
        raise UsageError(
            _(
                "{key}: future: {time} is skipped or occurs twice in {zone}, where clocks are changed; give the times with "
                "their offset from UTC",
                key=key,
                time=wall[local.isna()][0],
                zone=zone,
            )
        )
    return instants(key, local)[0]


def _type_name(value: object) -> str:
    """The name of a value's type with its package, such as `polars.DataFrame`."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return kind.__name__ if package in ("builtins", "__main__") else f"{package}.{kind.__name__}"


def _times(key: str, frame: pd.DataFrame, *, dates: bool) -> Times:
    """The rows' open times. With `dates`, midnights of a time zone are the dates of daily bars: 00:00 UTC of each."""
    column = None if isinstance(frame.index, pd.DatetimeIndex) else _time_column(key, frame)
    name = str(column or frame.index.name or "datetime")
    times, zone = instants(f"{key}: {name}", frame.index if column is None else frame[column])
    if dates and zone is not None:
        wall = pd.DatetimeIndex(times.view("M8[ms]"), tz="UTC").tz_convert(zone).tz_localize(None).asi8
        if not (wall % DAY).any():
            return Times(wall, Labels(zone=zone, name=name, dates=True))
    return Times(times, Labels(zone=zone, name=name))


def _time_column(key: str, frame: pd.DataFrame) -> object | None:
    """The column that holds times; None where the index does."""
    names = [name for name in frame.columns if name in TIMES]
    index = frame.index
    if not names and (index.name in TIMES or not (index.nlevels > 1 or pd.api.types.is_integer_dtype(index))):
        return None
    if len(names) != 1:
        raise _not_one(key, frame, names, TIMES, _("a DatetimeIndex or "))
    return names[0]


def _values(key: str, frame: pd.DataFrame) -> tuple[Values, list[str], tuple[str, ...]]:
    """Values (n, 6) in Kronos' order, the caller's names of the columns, and what was derived.

    As upstream does (shiyu-coder/Kronos, model/kronos.py, `KronosPredictor.predict`, 67b630e): without turnover it is
    volume × mean price; without volume both are 0.
    """
    prices = [_column(key, frame, (name,)) for name in PRICES]
    volume, turnover = (_optional(key, frame, names) for names in (VOLUME, TURNOVER))
    upstream = volume == "volume" or turnover == "amount"
    columns = [*prices, volume or VOLUME[upstream], turnover or TURNOVER[upstream]]
    if volume is None:
        zeros = np.zeros((len(frame), 2))
        note = _("{key}: no volume; volume and turnover are 0, as in upstream", key=key)
        return np.hstack([_numbers(key, frame[prices]), zeros]), columns, (note,)
    if turnover is not None:
        return _numbers(key, frame[columns]), columns, ()
    numbers = _numbers(key, frame[columns[:5]])
    amt = pl.DataFrame(numbers, [*PRICES, "vol"], orient="row").select(derived_turnover()).to_numpy()
    note = _("{key}: no turnover; it is volume × mean(open, high, low, close), as in upstream", key=key)
    return np.hstack([numbers, amt]), columns, (note,)


def _column(key: str, frame: pd.DataFrame, names: Sequence[str]) -> str:
    column = _optional(key, frame, names)
    if column is None:
        raise _not_one(key, frame, [], names)
    return column


def _optional(key: str, frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The column of `frame` with one of the `names`; None where there is none. Of two, none is chosen silently."""
    present = [name for name in frame.columns if name in names]
    if len(present) > 1:
        raise _not_one(key, frame, present, names)
    return str(present[0]) if present else None


def _not_one(
    key: str, frame: pd.DataFrame, present: Sequence[object], names: Sequence[str], otherwise: str = ""
) -> DataError:
    return DataError(
        _(
            "{key}: needs {otherwise}exactly one column called {names}, and has {matches}; its columns: {columns}",
            key=key,
            otherwise=otherwise,
            names=MessageList(names, " or "),
            matches=", ".join(map(str, present)) or _("none"),
            columns=printable(", ".join(map(str, frame.columns[:MOST_NAMES])))
            + ", …" * (len(frame.columns) > MOST_NAMES),
        )
    )


def _numbers(key: str, frame: pd.DataFrame) -> Values:
    """The columns of `frame` as numbers (n, columns), NaN where a value is missing."""
    return np.column_stack([_column_numbers(key, frame[name]) for name in frame.columns])


def _column_numbers(key: str, column: pd.Series) -> npt.NDArray[np.float64]:
    types = pd.api.types
    if types.is_numeric_dtype(column) and not types.is_bool_dtype(column) and not types.is_complex_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan)
    values = np.empty(len(column))
    for row, value in enumerate(column.astype(object)):
        try:
            values[row] = _number(value)
        except (ValueError, TypeError, OverflowError):
            raise DataError(
                _(
                    "{key}: {column} is {value} in row {row}, which is not a number; convert the column, such as with "
                    "pandas.to_numeric",
                    key=key,
                    column=column.name,
                    value=brief(value),
                    row=row,
                )
            ) from None
    return values


def _number(value: Any) -> float:
    """A number, or text of one, as a float. Raises ValueError, TypeError or OverflowError."""
    if value is None or value is pd.NA or value is pd.NaT:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, numbers.Real | Decimal | str):
        raise TypeError
    return float(value)
