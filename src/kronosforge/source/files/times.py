"""Parse written times. Ambiguous values are refused; no value is interpreted from its neighbours."""

from typing import NamedTuple

import polars as pl

from kronosforge.core.i18n import Message
from kronosforge.core.times import epoch, written
from kronosforge.source.files.formats import Table, shown


class Times(NamedTuple):
    """One column of times. Null where a row has none."""

    ts: pl.Series  # Int64, ms UTC
    wall: pl.Series  # Int64, ms: what a clock on the wall showed, as if it were UTC
    dates: bool  # every value is a date without a time of day


def parse(table: Table, column: str, zone: str) -> Times:
    """The instants that `column` names; times without an offset are in `zone`.

    Raises SourceError, with the line, for what is no time, and for local times that the zone skips or has twice.
    """
    values, zone = table.frame[column], "UTC" if table.utc else zone
    if isinstance(values.dtype, pl.Datetime):
        wall = values.dt.replace_time_zone(None).dt.epoch("ms")
        ts = values.dt.epoch("ms") if values.dtype.time_zone else _local(table, column, wall, zone)
        return Times(ts, wall, dates=False)
    text = _whole(values).cast(pl.String).str.strip_chars()
    ms = epoch(text.cast(pl.Int64, strict=False))
    if ms.null_count() == text.null_count():
        return Times(ms, ms, dates=False)
    return _text(table, column, text, ms, zone)


def _whole(values: pl.Series) -> pl.Series:
    """Without the `.0` that programs append to whole numbers."""
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        return whole if (whole == values).all() else values
    return values.str.strip_suffix(".0") if values.dtype == pl.String else values


def _text(table: Table, column: str, text: pl.Series, ms: pl.Series, zone: str) -> Times:
    """Written times, and between them the numbers `ms` since 1970."""
    read = written(text)
    wall = ms.zip_with(ms.is_not_null(), read.wall)
    bad = table.unread(column, wall)
    if bad is not None:
        raise table.refuse(
            bad,
            Message(
                "{column} {value} is not an unambiguous time; write 2024-01-31 16:00:00 or ms since 1970",
                column=column,
                value=shown(text[bad]),
            ),
        )
    absolute = ms.zip_with(ms.is_not_null(), read.wall - read.offset)
    naive = pl.select(pl.when(pl.lit(absolute).is_null()).then(pl.lit(wall))).to_series()
    ts = absolute.zip_with(absolute.is_not_null(), _local(table, column, naive, zone))
    return Times(ts, wall, dates=bool(read.date.filter(wall.is_not_null()).all()))


def _local(table: Table, column: str, wall: pl.Series, zone: str) -> pl.Series:
    """UTC of wall clocks in `zone`."""
    clock = wall.cast(pl.Datetime("ms"))
    ts = clock.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.epoch("ms")
    folds = (wall.is_not_null() & ts.is_null()).arg_true()
    if len(folds):
        raise table.refuse(
            folds[0],
            Message(
                "{column} {clock} does not exist or occurs twice in {zone} because clocks change; write times with UTC offsets",
                column=column,
                clock=clock[folds[0]],
                zone=zone,
            ),
        )
    return ts
