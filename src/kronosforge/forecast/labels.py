"""pandas in: what stands for times in an index or a column, to instants. Nothing is guessed."""

from datetime import UTC, tzinfo
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from kronosforge.core.bars import DAY, iso
from kronosforge.core.console import brief, printable
from kronosforge.core.errors import DataError, KronosForgeError
from kronosforge.core.i18n import _
from kronosforge.core.times import epoch, written
from kronosforge.forecast.history import Instants

FIRST, END = pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")  # the years that text may name, too
MISREAD = 48 * DAY  # µs of 1990–2100, taken for ns, fall into the first 48 days of 1970; so do s taken for ms


def instants(what: str, labels: Any, error: type[KronosForgeError] = DataError) -> tuple[Instants, tzinfo | None]:
    """Times as ms UTC (n,), and their time zone; without one they are UTC.

    `labels` are datetimes, year-first text, or numbers since 1970 whose size tells the unit (s, ms, µs, ns). Raises
    `error`, which names `what`, for anything else: text such as 03/04/2024, of which nobody knows the month.
    """
    try:
        index = pd.Index(labels if getattr(labels, "ndim", 1) == 1 else None)
    except (TypeError, ValueError):  # a single value, or nested ones
        raise error(
            _(
                "{what}: {labels} is not a list, an array, a Series or an Index of times",
                what=what,
                labels=brief(labels),
            )
        ) from None
    datetimes = pd.api.types.infer_dtype(index, skipna=True) in ("datetime64", "datetime", "date")
    times, zone = _of_datetimes(what, index, error) if datetimes else _of_text(what, index, error)
    if len(times) and 0 <= times.max() < MISREAD:
        raise error(
            _(
                "{what}: times up to {max} look like numbers that were read in the wrong unit; convert "
                "them with pandas.to_datetime(values, unit='ms'), or 's', 'us', 'ns' as the numbers are",
                what=what,
                max=iso(int(times.max())),
            )
        )
    return times, zone


def _of_datetimes(what: str, index: pd.Index, error: type[KronosForgeError]) -> tuple[Instants, tzinfo | None]:
    try:
        dates = pd.DatetimeIndex(index)
    except (ValueError, TypeError) as reason:  # such as datetimes of several zones
        raise _unusable(what, reason, error) from None
    if dates.hasnans:
        raise _missing(what, int(np.flatnonzero(dates.isna())[0]), error)
    naive = dates if dates.tz is None else dates.tz_convert("UTC").tz_localize(None)
    outside = (naive < FIRST) | (naive >= END)
    if outside.any():
        raise error(
            _(
                "{what}: {time} lies outside the years 1900 to 2199; correct it, or, where it was a number, convert it with "
                "pandas.to_datetime(values, unit='ms'), or 's', 'us', 'ns' as the numbers are",
                what=what,
                time=str(naive[outside][0]),
            )
        )
    return naive.as_unit("ms").asi8, dates.tz


def _of_text(what: str, index: pd.Index, error: type[KronosForgeError]) -> tuple[Instants, tzinfo | None]:
    if index.hasnans:
        raise _missing(what, int(np.flatnonzero(index.isna())[0]), error)
    text = pl.Series([_text(label) for label in index], dtype=pl.String).str.strip_chars()
    read = written(text)
    parts = [epoch(text.cast(pl.Int64, strict=False)), read.wall - read.offset.fill_null(0)]
    times = pl.select(pl.coalesce(*map(pl.lit, parts))).to_series()
    unread = times.is_null().arg_true()
    if len(unread):
        raise error(
            _(
                "{what}: {text!r} cannot be read as a time for certain; write 2024-01-31 16:00:00 (year "
                "first), or s, ms, µs or ns since 1970",
                what=what,
                text=text[unread[0]][:80],
            )
        )
    zoned, local = read.offset.is_not_null(), read.wall.is_not_null() & read.offset.is_null()
    if zoned.any() and local.any():
        raise error(
            _(
                "{what}: {zoned!r} has a time zone and {local!r} has none; write all times the same way",
                what=what,
                zoned=text.filter(zoned)[0],
                local=text.filter(local)[0],
            )
        )
    return times.to_numpy(), UTC if zoned.any() else None


def _text(label: object) -> str:
    """A label as text; a float that is whole without its `.0`."""
    whole = isinstance(label, float | np.floating) and float(label).is_integer()
    return str(int(label)) if whole else str(label)  # type: ignore[call-overload]


def _missing(what: str, row: int, error: type[KronosForgeError]) -> KronosForgeError:
    return error(_("{what}: row {row} has no time", what=what, row=row))


def _unusable(what: str, reason: Exception, error: type[KronosForgeError]) -> KronosForgeError:
    return error(
        _(
            "{what}: not usable as times ({reason}); give all of them one time zone, such as with "
            "pandas.to_datetime(values, utc=True)",
            what=what,
            reason=printable(str(reason)),
        )
    )
