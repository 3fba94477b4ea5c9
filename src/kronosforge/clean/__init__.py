"""Candles as they arrive → candles that a model may learn from, and a record of everything that was done to them."""

from typing import NamedTuple

import polars as pl

from kronosforge.clean import repair
from kronosforge.clean.calendar import expected, grid
from kronosforge.clean.findings import Finding, Log
from kronosforge.clean.grid import Grid
from kronosforge.clean.recognise import SessionGaps, calendar_advice, session_gaps
from kronosforge.clean.repair import Gap
from kronosforge.config import CleanConfig
from kronosforge.core.bars import Series, Span
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _

__all__ = ["Cleaned", "Finding", "Gap", "SessionGaps", "calendar_advice", "clean", "expected"]


class Cleaned(NamedTuple):
    """A series that is sound, in segments without gaps."""

    candles: pl.DataFrame  # candles.SCHEMA and `segment` (UInt32, from 1); ts ascending and unique
    gaps: list[Gap]  # those that stay open, ascending
    findings: list[Finding]  # in the order of findings.KINDS
    session_gaps: SessionGaps | None  # with the calendar 24/7: the series looks like a market with sessions


def clean(candles: pl.DataFrame, series: Series, span: Span, rules: CleanConfig) -> Cleaned:
    """Check the candles of one series inside `span`, and mend or take out what is wrong, counting everything.

    `candles` has the columns of candles.SCHEMA in any order of rows, with null times and doubles, and may have a
    Boolean column `confirm`, which is False for bars that were not finished. Rows out are rows in, less the counts of
    the findings `dropped`, plus those `filled`.
    Raises ConfigError for an unknown calendar; DataError where more than `max_bad_share` of the candles are broken,
    where the unit of volume is wrong throughout, where gaps are forbidden, or where nothing is left.
    """
    log = Log()
    due = grid(rules.calendar_of(series), series.bar, span)
    frame = repair.in_units(repair.tidy(candles, span, rules.max_gap, log), rules.volume_unit)
    rows = len(frame) + log.broken
    sound = repair.sound(frame, due, rules, log)
    repair.judge(rows, rules, series, log, frame["ts"].to_numpy())
    if not len(sound.frame):
        raise DataError(_nothing_left(series, len(candles), log))
    frame, units = repair.turnover(sound.frame, rules, series, log)
    repair.judge(rows, rules, series, log, frame["ts"].to_numpy())
    frame, ordinal, gaps = repair.close_gaps(sound._replace(frame=frame), due, series, rules, log)
    repair.remark(frame, rules, log)
    frame = repair.segments(frame, ordinal, units, rules, log)
    _shortfall(frame, series, span, due, log)
    sessions = session_gaps(frame["ts"].to_numpy(), series) if due.continuous else None
    return Cleaned(frame, gaps, log.findings(), sessions)


def _nothing_left(series: Series, rows: int, log: Log) -> str:
    findings = "; ".join(map(str, log.findings()))
    return _(
        "{series}: none of {rows} candles is left after cleaning ({findings}); ask for another "
        "span, or check the source",
        series=series,
        rows=rows,
        findings=findings,
    )


def _shortfall(frame: pl.DataFrame, series: Series, span: Span, due: Grid, log: Log) -> None:
    """Count the bars that are due at either end of `span` and are not there: before a listing is no gap."""
    ts = frame["ts"].to_numpy()
    before, after = Span(span.start, int(ts[0])), Span(int(ts[-1]) + series.bar.length, span.stop)
    log.add("starts_late", due.count(before), [str(before)])
    log.add("ends_early", due.count(after), [str(after)])
