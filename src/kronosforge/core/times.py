"""Times as people write them, to instants. Each value is read for certain or becomes null; none depends on its neighbours."""

from typing import NamedTuple

import polars as pl

from kronosforge.core.bars import DAY, HOUR, MINUTE

# Seconds, milliseconds, microseconds and nanoseconds of 1990–2100 have no number in common, so the size tells the unit.
_FIRST, _LAST = 631_152_000_000, 4_102_444_800_000  # ms

# 20240131, 2024/1/31, 2024-01-31; an hour alone or with minutes; AM and PM; an offset. Never day or month first.
_COMPACT = r"^(\d{4})(\d\d)(\d\d)($|[T ])"
_TEXT = (
    r"^(?P<year>(?:19|20|21)\d\d)[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})"
    r"(?:[T ](?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?)?"
    r"(?:[- ]?(?P<half>[AaPp][Mm]))? ?(?P<offset>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?$"
)


class Written(NamedTuple):
    """Times read from text."""

    wall: pl.Series  # Int64, ms: the time as written, as if it were UTC; null where it cannot be read for certain
    offset: pl.Series  # Int64, ms east of UTC; null where the time carries none
    date: pl.Series  # Boolean: a date without a time of day


def written(text: pl.Series) -> Written:
    """Read year-first dates and times such as `2024-01-31 16:00`, `20240131` or `2024/1/31 4:00 PM +08:00`."""
    compact = text.str.replace(_COMPACT, "${1}-${2}-${3}${4}")
    read = compact.str.extract_groups(_TEXT).struct.unnest().select(wall=_wall(), offset=_offset(), date=_DATE)
    return Written(*read.get_columns())


def epoch(number: pl.Series) -> pl.Series:
    """Numbers since 1970 as ms, by the one unit (s, ms, µs or ns) that puts them into 1990–2100; null where none does."""
    n = pl.lit(number)
    ms = [n * 1000, n, n // 1000, n // 1_000_000]
    within = [unit.is_between(_FIRST, _LAST) for unit in ms]
    return pl.select(pl.coalesce(pl.when(ok).then(unit) for ok, unit in zip(within, ms, strict=True))).to_series()


# A date without a time of day.
_DATE = pl.col("hour").is_null() & pl.col("day").is_not_null()


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
