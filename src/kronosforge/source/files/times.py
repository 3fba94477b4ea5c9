"""From the spellings of time to instants. Each value is read for certain or refused; nothing depends on its neighbours."""

from typing import NamedTuple

import polars as pl

from kronosforge.core.bars import DAY, HOUR, MINUTE
from kronosforge.source.files.formats import Table, shown

# Seconds, milliseconds, microseconds and nanoseconds of 1990–2100 have no number in common, so the size tells the unit.
_FIRST, _LAST = 631_152_000_000, 4_102_444_800_000  # ms

# 20240131, 2024/1/31, 2024-01-31; an hour alone or with minutes; AM and PM; an offset. Never day or month first.
_COMPACT = r"^(\d{4})(\d\d)(\d\d)($|[T ])"
_TEXT = (
    r"^(?P<year>(?:19|20|21)\d\d)[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})"
    r"(?:[T ](?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?)?"
    r"(?:[- ]?(?P<half>[AaPp][Mm]))? ?(?P<offset>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?$"
)


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
    epoch = _milliseconds(text.cast(pl.Int64, strict=False))
    if epoch.null_count() == text.null_count():
        return Times(epoch, epoch, dates=False)
    return _text(table, column, text, epoch, zone)


def _whole(values: pl.Series) -> pl.Series:
    """Without the `.0` that programs append to whole numbers."""
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        return whole if (whole == values).all() else values
    return values.str.strip_suffix(".0") if values.dtype == pl.String else values


def _text(table: Table, column: str, text: pl.Series, epoch: pl.Series, zone: str) -> Times:
    """Written times, and between them the numbers `epoch`, ms."""
    compact = text.str.replace(_COMPACT, "${1}-${2}-${3}${4}")
    read = compact.str.extract_groups(_TEXT).struct.unnest().select(wall=_wall(), offset=_offset(), bare=_BARE)
    wall = epoch.zip_with(epoch.is_not_null(), read["wall"])
    bad = table.unread(column, wall)
    if bad is not None:
        raise table.refuse(
            bad,
            f"{column} {shown(text[bad])} cannot be read as a time for certain; write 2024-01-31 16:00:00 or ms since 1970",
            f"{column} 的 {shown(text[bad])} 无法确定为时间;请写成 2024-01-31 16:00:00 或毫秒时间戳",
        )
    known = epoch.zip_with(epoch.is_not_null(), read["wall"] - read["offset"])
    naive = pl.select(pl.when(pl.lit(known).is_null()).then(pl.lit(wall))).to_series()
    ts = known.zip_with(known.is_not_null(), _local(table, column, naive, zone))
    return Times(ts, wall, dates=bool(read["bare"].filter(wall.is_not_null()).all()))


def _milliseconds(number: pl.Series) -> pl.Series:
    """Numbers since 1970 as ms, by the one unit that puts them into 1990–2100; null where none does."""
    n = pl.lit(number)
    ms = [n * 1000, n, n // 1000, n // 1_000_000]
    within = [unit.is_between(_FIRST, _LAST) for unit in ms]
    return pl.select(pl.coalesce(pl.when(ok).then(unit) for ok, unit in zip(within, ms, strict=True))).to_series()


# A date without a time of day.
_BARE = pl.col("hour").is_null() & pl.col("day").is_not_null()


def _wall() -> pl.Expr:
    """ms on the wall's clock from the groups of `_TEXT`; null where there is no such moment or no such offset."""
    hour, minute, second = (pl.col(part).cast(pl.Int64).fill_null(0) for part in ("hour", "minute", "second"))
    fraction = pl.col("fraction").str.pad_end(3, "0").str.head(3).cast(pl.Int64).fill_null(0)
    half = pl.col("half").str.to_uppercase()
    afternoon = pl.when(half == "PM").then(12 * HOUR).otherwise(0)
    hours = pl.when(half.is_null()).then(hour).otherwise(hour % 12) * HOUR + afternoon
    date = pl.concat_str("year", "month", "day", separator="-").str.to_date("%Y-%m-%d", strict=False)
    valid = (hour < 24) & (minute < 60) & (second < 60) & (half.is_null() | hour.is_between(1, 12))
    valid &= pl.col("offset").is_null() | _offset().is_not_null()
    days = date.cast(pl.Int32).cast(pl.Int64) * DAY
    return pl.when(valid).then(days + hours + minute * MINUTE + second * 1000 + fraction)


def _offset() -> pl.Expr:
    """ms east of UTC; null where the time carries no offset, or one that no place on Earth has."""
    digits = pl.col("offset").str.replace_all(r"\D", "")
    hours, minutes = digits.str.head(2).cast(pl.Int64, strict=False), digits.str.slice(2).cast(pl.Int64, strict=False)
    east = hours * HOUR + minutes.fill_null(0) * MINUTE
    sign = pl.when(pl.col("offset").str.starts_with("-")).then(-1).otherwise(1)
    signed = pl.when((hours <= 14) & (minutes.fill_null(0) < 60)).then(sign * east)
    return pl.when(digits == "").then(0).otherwise(signed)


def _local(table: Table, column: str, wall: pl.Series, zone: str) -> pl.Series:
    """UTC of wall clocks in `zone`."""
    clock = wall.cast(pl.Datetime("ms"))
    ts = clock.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.epoch("ms")
    folds = (wall.is_not_null() & ts.is_null()).arg_true()
    if len(folds):
        raise table.refuse(
            folds[0],
            f"{column} {clock[folds[0]]} is skipped or stands twice in {zone}, where clocks change; write times with offsets",
            f"{column} 的 {clock[folds[0]]} 在 {zone} 因换夏令时不存在或重复;请写带时区偏移的时间",
        )
    return ts
