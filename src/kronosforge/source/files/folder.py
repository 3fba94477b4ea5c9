"""Candles from a folder on this machine: CSV (plain, gzip, zip), Parquet, Feather. Ambiguous content is refused."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import polars as pl

from kronosforge.config import SourceConfig
from kronosforge.core.bars import Series, Span
from kronosforge.core.candles import FEATURES, PRICES, PROVENANCES, SCHEMA, derived_turnover
from kronosforge.core.errors import ConfigError, NoDataError, SourceError
from kronosforge.core.i18n import Message, _
from kronosforge.source.base import Batch, Cost
from kronosforge.source.files.columns import plan
from kronosforge.source.files.formats import Table, read, shown
from kronosforge.source.files.grid import opens
from kronosforge.source.files.names import choose, scan
from kronosforge.source.files.times import Times, parse

log = logging.getLogger("kronosforge.source.files.folder")

_YES, _NO = ["1", "1.0", "true"], ["0", "0.0", "false"]


class FilesSource:
    """The files of one folder, each one series, as `filenames` says. Implements `source.base.Source`.

    Its frames hold the unchanged rows: in file order, with duplicates, rows off the grid, broken rows and rows
    without a time (`ts` null); and a Boolean column `confirm` where the file says which bars are finished. The clean
    stage counts and drops them.
    """

    venue = "files"
    stored = False

    def __init__(self, folder: Path, config: SourceConfig) -> None:
        """Raises ConfigError for a timezone that does not exist."""
        self.folder = folder
        self.config = config
        try:
            pl.Series([0]).cast(pl.Datetime("ms")).dt.replace_time_zone(config.timezone)
        except pl.exceptions.ComputeError:
            raise ConfigError(
                _(
                    "source.timezone: found {timezone!r}; allowed: names such as UTC, Asia/Shanghai, Europe/London",
                    timezone=config.timezone,
                )
            ) from None

    def available(self) -> list[Series]:
        """The series that the file names allow; where a day names no anchor, both days. Raises SourceError."""
        return sorted({series for named in scan(self.folder) for series in named.readings}, key=str)

    async def now(self) -> int:
        """Close time of the newest finished bar in the folder: files have no other clock. Raises SourceError, NoDataError."""
        newest = [close for series in self.available() if (close := self._newest_close(series)) is not None]
        if newest:
            return max(newest)
        raise NoDataError(
            _(
                "{folder} has no readable candle files; name files like BTC-USDT-SWAP_4H.csv",
                folder=self.folder,
            )
        )

    def _newest_close(self, series: Series) -> int | None:
        """None for a file that cannot be read; `fetch` reports why."""
        try:
            candles = self.read(series)
        except SourceError as error:
            log.debug("left out of the folder's clock: %s", error)
            return None
        if "confirm" in candles.columns:
            candles = candles.filter("confirm")
        opened = candles["ts"].drop_nulls().to_numpy()
        return int(opened.max()) + series.bar.length if len(opened) else None

    async def fetch(self, series: Series, span: Span) -> AsyncIterator[Batch]:
        """One batch: the file's rows inside `span`, and those without a time. Raises SourceError, NoDataError."""
        candles = self.read(series)
        inside = candles.filter(pl.col("ts").is_null() | pl.col("ts").is_between(span.start, span.stop, closed="left"))
        yield Batch(span, inside, oldest=not (candles["ts"] < span.start).any())

    def read(self, series: Series) -> pl.DataFrame:
        """Every row of the file of `series`: candles.SCHEMA, and `confirm` where the file has it.

        Raises NoDataError where no file has this name; SourceError (file, line, reason) where its content is ambiguous.
        """
        named = choose(self.folder, series)
        return candles_of(read(named.path), series, self.config)

    def cost(self, series: Series, span: Span, now: int) -> Cost:
        """Nothing is downloaded."""
        return Cost(0, 0.0)

    async def close(self) -> None:
        """Nothing is held open."""


def candles_of(table: Table, series: Series, config: SourceConfig) -> pl.DataFrame:
    """The rows of `table` as candles of `series`, in their order. Raises SourceError."""
    layout = plan(table, series.instrument)
    times = _times(table, layout.times, config.timezone)
    columns = {field: _numbers(table, column) for field, column in layout.columns.items() if field in FEATURES}
    frame = pl.DataFrame({"ts": opens(table, times, series.bar, config.label), **columns})
    frame = _with_turnover(frame.with_columns(pl.col(PRICES) / table.scale))
    confirm = layout.columns.get("confirm")
    return frame.with_columns(_flags(table, confirm).alias("confirm")) if confirm else frame


def _times(table: Table, columns: list[str], zone: str) -> Times:
    """The first column of times; any other must name the same instants."""
    times, *others = [parse(table, column, zone) for column in columns]
    for column, other in zip(columns[1:], others, strict=True):
        differ = times.ts.ne_missing(other.ts).arg_true()
        if len(differ):
            raise table.refuse(
                differ[0],
                Message(
                    "{first} and {column} hold different times; remove the wrong one",
                    first=columns[0],
                    column=column,
                ),
            )
    return times


def _numbers(table: Table, column: str) -> pl.Series:
    """Float64; NaN where there is no value."""
    values = table.frame[column]
    if values.dtype.is_numeric():
        return values.cast(pl.Float64).fill_null(float("nan"))
    numbers = values.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    bad = table.unread(column, numbers)
    if bad is not None:
        raise table.refuse(
            bad,
            Message(
                "{column} {value} is not a number; write digits with a decimal point and no thousands separators",
                column=column,
                value=shown(values[bad]),
            ),
        )
    return numbers.fill_null(float("nan"))


def _with_turnover(frame: pl.DataFrame) -> pl.DataFrame:
    """candles.SCHEMA: turnover that the file does not give is derived."""
    given = pl.col("amt").is_not_nan() if "amt" in frame.columns else pl.lit(value=False)
    amt = pl.when(given).then("amt") if "amt" in frame.columns else pl.lit(None)
    provenance = pl.when(given).then(pl.lit("exchange")).otherwise(pl.lit("derived")).cast(pl.Enum(PROVENANCES))
    return frame.with_columns(amt=pl.coalesce(amt, derived_turnover()), provenance=provenance).select(SCHEMA.names())


def _flags(table: Table, column: str) -> pl.Series:
    text = table.frame[column].cast(pl.String).str.strip_chars().str.to_lowercase()
    bad = (~text.is_in(_YES + _NO)).fill_null(value=True).arg_true()
    if len(bad):
        raise table.refuse(
            bad[0],
            Message(
                "{column} {value} does not say whether the bar is finished; write 1 or 0",
                column=column,
                value=shown(text[bad[0]] or ""),
            ),
        )
    return text.is_in(_YES)
