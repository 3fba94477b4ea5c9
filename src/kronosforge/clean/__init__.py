"""From candles as they arrive to candles that a model can learn from, with a record of every repair."""

from typing import NamedTuple

import polars as pl

from kronosforge.clean import repair
from kronosforge.clean.calendar import expected, grid_of
from kronosforge.clean.findings import Finding, Log
from kronosforge.clean.grid import Grid
from kronosforge.clean.recognise import SessionGaps, calendar_advice, session_gaps
from kronosforge.clean.repair import Gap
from kronosforge.config import CleanConfig
from kronosforge.core.bars import Series, Span
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import MessageList, _

__all__ = ["Cleaned", "Finding", "Gap", "SessionGaps", "calendar_advice", "clean", "expected"]


class Cleaned(NamedTuple):
    """A clean series, in segments without gaps."""

    candles: pl.DataFrame  # candles.SCHEMA and `segment` (UInt32, from 1); ts ascending and unique
    gaps: list[Gap]  # those that were not filled, ascending
    findings: list[Finding]  # in the order of findings.KINDS
    session_gaps: SessionGaps | None  # if the calendar is 24/7 and the series looks like a market with sessions


def clean(candles: pl.DataFrame, series: Series, span: Span, settings: CleanConfig) -> Cleaned:
    """Check the candles of one series inside `span`, repair or drop what is wrong, and count every repair.

    `candles` has the columns of candles.SCHEMA, with rows in any order, null times and duplicates, and may have a Boolean
    column `confirm`, which is False for unfinished bars. The number of rows returned is that of `candles` minus the counts
    of the findings `dropped` plus those `filled`.

    Raises ConfigError for an unknown calendar; DataError if more than `max_bad_share` of the candles are broken, if the
    unit of volume is wrong throughout, if there are gaps and `gaps` is `fail`, or if no candles are left.
    """
    log = Log()
    grid = grid_of(settings.calendar_of(series), series.bar, span)
    frame = repair.scale_volume(repair.sort_and_deduplicate(candles, span, settings.max_gap, log), settings.volume_unit)
    rows = len(frame) + log.broken
    sound = repair.drop_bad(frame, grid, settings, log)
    repair.refuse_broken(rows, settings, series, log, frame["ts"].to_numpy())
    if not len(sound.frame):
        raise DataError(
            _(
                "{series}: none of {rows} candles is left after cleaning ({findings}); choose another span or check the source",
                series=series,
                rows=len(candles),
                findings=MessageList(log.findings(), "; "),
            )
        )
    frame, unit_changes = repair.repair_turnover(sound.frame, settings, series, log)
    repair.refuse_broken(rows, settings, series, log, frame["ts"].to_numpy())
    frame, ordinal, gaps = repair.close_gaps(sound._replace(frame=frame), grid, series, settings, log)
    repair.count_unusual(frame, settings, log)
    frame = repair.split_segments(frame, ordinal, unit_changes, settings, log)
    _count_missing_ends(frame, series, span, grid, log)
    sessions = session_gaps(frame["ts"].to_numpy(), series) if grid.continuous else None
    return Cleaned(frame, gaps, log.findings(), sessions)


def _count_missing_ends(frame: pl.DataFrame, series: Series, span: Span, grid: Grid, log: Log) -> None:
    """Count the bars that are due but missing at either end of `span`: the time before a listing is no gap."""
    ts = frame["ts"].to_numpy()
    before, after = Span(span.start, int(ts[0])), Span(int(ts[-1]) + series.bar.length, span.stop)
    log.add("starts_late", grid.count(before), [str(before)])
    log.add("ends_early", grid.count(after), [str(after)])
