"""What cleaning does about what the checks report. Every row that is dropped, added or changed is counted in the log."""

from typing import NamedTuple

import numpy as np
import polars as pl

from kronosforge.clean import checks
from kronosforge.clean.checks import Columns
from kronosforge.clean.findings import KINDS, Log, shown, values
from kronosforge.clean.grid import Grid, Instants, Mask
from kronosforge.clean.recognise import SessionGaps, calendar_advice, session_gaps
from kronosforge.config import CleanConfig
from kronosforge.core.bars import Bar, Series, Span, iso
from kronosforge.core.candles import PRICES, SCHEMA, derived_turnover
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import Message, MessageList, _

MOST = 0.9  # share of the bars with volume that counts as the whole series


class Gap(NamedTuple):
    """Consecutive bars that are due and missing, between two bars of the series."""

    span: Span  # from the first missing bar's open to the last missing bar's close
    bars: int
    kind: str  # venue: no finished bar came; removed: broken bars were dropped; dead: a long period without trade


def sort_and_deduplicate(candles: pl.DataFrame, span: Span, max_gap: float, log: Log) -> pl.DataFrame:
    """The finished candles inside `span`, ascending, one for each time."""
    frame = candles
    if frame["ts"].null_count():
        frame = log.drop("no_time", frame, frame["ts"].is_null())
    if "confirm" in frame.columns:
        frame = log.drop("unfinished", frame, ~frame["confirm"].fill_null(value=True)).drop("confirm")
    frame = frame[SCHEMA.names()]
    frame = log.drop("outside", frame, (frame["ts"] < span.start) | (frame["ts"] >= span.stop))
    step = np.diff(frame["ts"].to_numpy())
    if step.min(initial=1) > 0:
        return frame
    log.rows("order", frame.filter(np.append(False, step < 0)))
    frame = frame.sort("ts", maintain_order=True)
    duplicated = frame["ts"].is_duplicated()
    return _deduplicate(frame, duplicated, max_gap, log) if duplicated.any() else frame


def _deduplicate(frame: pl.DataFrame, duplicated: pl.Series, max_gap: float, log: Log) -> pl.DataFrame:
    """Keep the last copy of each time, unless it jumps away from the previous price and another copy does not."""
    unique = frame.filter(~duplicated)
    before = unique.select("ts", before="close").filter(pl.col("before").is_finite() & (pl.col("before") > 0))
    copies = frame.filter(duplicated).join_asof(before, on="ts")
    distance = (pl.col("open") / pl.col("before")).log().abs()
    # A price that is missing, infinite or negative has no distance and counts as a jump.
    far = pl.col("before").is_not_null() & ~(distance.fill_null(np.nan).fill_nan(np.inf) <= max_gap)
    copies = copies.with_columns(far=far).sort("ts", "far", descending=[False, True], maintain_order=True)
    last = (pl.int_range(pl.len()) == pl.len() - 1).over("ts")
    kept, dropped = (copies.filter(rows).select(SCHEMA.names()) for rows in (last, ~last))
    equal, different = (
        dropped.join(kept, on=SCHEMA.names(), how=how, nulls_equal=True, maintain_order="left")
        for how in ("semi", "anti")
    )
    log.rows("duplicate", equal)
    log.add("conflict", len(different), _conflicts(different, kept))
    return pl.concat([unique, kept]).sort("ts")


def _conflicts(dropped: pl.DataFrame, kept: pl.DataFrame) -> list[str]:
    first = dropped.head(3)
    others = first.select("ts").join(kept, on="ts", maintain_order="left")
    pairs = zip(first.iter_rows(named=True), others.iter_rows(named=True), strict=True)
    return [f"{shown(row)} ≠ {values(other)}" for row, other in pairs]


def scale_volume(frame: pl.DataFrame, unit: float) -> pl.DataFrame:
    """`frame` with volume in coins or shares, and with the turnover that was derived from it scaled, too."""
    if unit == 1:
        return frame
    amt = pl.when(pl.col("provenance") == "derived").then(pl.col("amt") * unit).otherwise("amt")
    return frame.with_columns(pl.col("vol") * unit, amt)


class Sound(NamedTuple):
    """Candles without a fault, and the times of those that were dropped."""

    frame: pl.DataFrame
    ordinal: Instants  # of each row in the calendar
    removed: Instants  # ts of bars that were due and were dropped
    dead: Instants  # ts of bars that were dropped because nothing traded


def drop_bad(frame: pl.DataFrame, grid: Grid, settings: CleanConfig, log: Log) -> Sound:
    """Drop bars that are not due, impossible, repeated, frozen or dead."""
    ordinal, due = grid.locate(frame["ts"].to_numpy())
    if not due.all():
        frame = log.drop("off_grid" if grid.continuous else "off_calendar", frame, pl.Series(~due))
        ordinal = ordinal[due]
    removed: list[Instants] = []
    dead: list[Instants] = []
    bad = _impossible(frame) or _unlikely(frame, ordinal, grid, settings)
    while bad:
        ts = frame["ts"].to_numpy()
        dropped = np.zeros(len(frame), dtype=bool)
        for kind, mask in bad.items():
            log.rows(kind, frame.filter(mask & ~dropped))
            (dead if kind == "dead" else removed).append(ts[mask & ~dropped])
            dropped |= mask
        frame, ordinal = frame.filter(~dropped), ordinal[~dropped]
        bad = _unlikely(frame, ordinal, grid, settings)  # dropping bars may bring others next to each other
    return Sound(frame, ordinal, _sorted(removed), _sorted(dead))


def _impossible(frame: pl.DataFrame) -> dict[str, Mask]:
    codes = checks.broken(Columns.of(frame))
    return {kind: codes == code for code, kind in enumerate(checks.BROKEN) if code} if codes.any() else {}


def _unlikely(frame: pl.DataFrame, ordinal: Instants, grid: Grid, settings: CleanConfig) -> dict[str, Mask]:
    """Kind → mask of bars that are possible alone, but not next to the others. Filled bars are not considered."""
    real = _real(frame)
    x, ordinals = Columns.of(frame).at(real), ordinal[real]
    masks = {
        "repeated": checks.repeated(x),
        "dead": checks.dead(checks.still(x), ordinals, settings.max_flat_run),
    }
    if grid.continuous and settings.frozen == "drop":
        masks["frozen"] = checks.frozen(x, ordinals, settings.max_gap)
    return {kind: _expand(mask, real) for kind, mask in masks.items() if mask.any()}


def _real(frame: pl.DataFrame) -> Mask | slice:
    """The rows that were not filled."""
    filled = frame["provenance"] == "filled"
    return (~filled).to_numpy() if filled.any() else slice(None)


def _expand(mask: Mask, rows: Mask | slice) -> Mask:
    """A mask of all rows from a `mask` of some `rows`; the others are False."""
    if isinstance(rows, slice):
        return mask
    expanded = np.zeros(len(rows), dtype=bool)
    expanded[rows] = mask
    return expanded


def _sorted(parts: list[Instants]) -> Instants:
    return np.sort(np.concatenate([np.empty(0, np.int64), *parts]))


def refuse_broken(rows: int, settings: CleanConfig, series: Series, log: Log, ts: Instants) -> None:
    """Raise DataError if more than `max_bad_share` of `rows` are broken; the message says how, and what to do.

    `ts` are the open times as they arrived: if most broken bars are off the calendar, they may fit another one.
    """
    if log.broken <= settings.max_bad_share * rows:
        return
    kinds = [finding for finding in log.findings() if KINDS[finding.kind].broken]
    worst = max(kinds, key=lambda finding: finding.count)
    raise DataError(
        _(
            "{series}: {broken} of {rows} candles are broken (share {share}, clean.max_bad_share allows {allowed:g}): "
            "{findings}. What to do: {advice}",
            series=series,
            broken=log.broken,
            rows=rows,
            share=f"{log.broken / rows:.2g}" if log.broken < rows else "1",
            allowed=settings.max_bad_share,
            findings=MessageList(kinds, "; "),
            advice=_other_calendar(worst.kind, ts, series) or KINDS[worst.kind].advice,
        )
    )


def _other_calendar(kind: str, ts: Instants, series: Series) -> Message | None:
    """Advice that names the calendar that the bars fit, if they are off the configured one."""
    gaps = session_gaps(ts, series) if kind in ("off_grid", "off_calendar") else None
    return calendar_advice({series: gaps})[series] if gaps and gaps.calendars else None


def repair_turnover(
    frame: pl.DataFrame, settings: CleanConfig, series: Series, log: Log
) -> tuple[pl.DataFrame, Instants]:
    """The candles with turnover that fits volume and price, and the times at which the unit of volume changes.

    Turnover is derived for single bars whose turnover / volume is outside low … high. If consecutive bars are off by one
    factor, they are kept and the unit changes there. Raises DataError if that is the whole series.
    """
    x = Columns.of(frame)
    off = checks.outside_range(x)
    derived = int((frame["provenance"] == "derived").sum())
    changes: list[int] = []
    if off.any():
        from_exchange = (frame["provenance"] == "exchange").to_numpy()
        off &= from_exchange
        traded = np.flatnonzero((x.vol > 0) & from_exchange)
        factor = x.amt[traded] / (x.vol[traded] * (x.open + x.high + x.low + x.close)[traded] / 4)
        segments = checks.changed_units(factor, off[traded])
        _refuse_unit(segments, len(traded), settings, series)
        for first, stop, _factor in segments:
            off[traded[first:stop]] = False
            changes += [int(traded[edge]) for edge in (first, stop) if 0 < edge < len(traded)]
        frame = _derive(frame, off, log)
    if 2 * derived > len(frame):
        changes += [index for index, _digits in checks.volume_steps(x.vol)]
    at = np.unique(np.array(changes, dtype=np.int64))
    log.add("unit", len(at), [f"{iso(int(x.ts[i]))} vol {x.vol[i - 1]:.10g} → {x.vol[i]:.10g}" for i in at[:3]])
    return frame, x.ts[at]


def _refuse_unit(segments: list[tuple[int, int, float]], traded: int, settings: CleanConfig, series: Series) -> None:
    off = sum(stop - first for first, stop, _factor in segments)
    if off <= MOST * traded:
        return
    factor = max(segments, key=lambda segment: segment[1] - segment[0])[2]
    unit = float(f"{settings.volume_unit * factor:.4g}")
    raise DataError(
        _(
            "{series}: turnover / volume is {factor:g} × the price on {off} of {traded} candles; "
            "volume is counted in units of {unit:g}: set clean.volume_unit = {unit:g}, or check "
            "which columns hold volume and turnover",
            series=series,
            factor=factor,
            off=off,
            traded=traded,
            unit=unit,
        )
    )


def _derive(frame: pl.DataFrame, off: Mask, log: Log) -> pl.DataFrame:
    if not off.any():
        return frame
    wrong = pl.Series(off)
    log.rows("turnover", frame.filter(wrong))
    amt = pl.when(wrong).then(derived_turnover()).otherwise("amt").alias("amt")
    provenance = (
        pl.when(wrong).then(pl.lit("derived", SCHEMA["provenance"])).otherwise("provenance").alias("provenance")
    )
    return frame.with_columns(amt, provenance)


def find_gaps(candles: Sound, grid: Grid, bar: Bar) -> list[Gap]:
    """Every gap between two bars, ascending."""
    after = checks.after_gaps(candles.ordinal)
    first, last = candles.ordinal[after - 1] + 1, candles.ordinal[after] - 1
    starts, stops = grid.opens(first), grid.opens(last) + bar.length
    dead, removed = (
        np.diff(np.searchsorted(dropped, [starts, stops]), axis=0)[0] > 0 for dropped in (candles.dead, candles.removed)
    )
    kinds = np.select([dead, removed], ["dead", "removed"], "venue")
    table = zip(starts.tolist(), stops.tolist(), (last - first + 1).tolist(), kinds.tolist(), strict=True)
    return [Gap(Span(start, stop), bars, kind) for start, stop, bars, kind in table]


def close_gaps(
    candles: Sound, grid: Grid, series: Series, settings: CleanConfig, log: Log
) -> tuple[pl.DataFrame, Instants, list[Gap]]:
    """The candles, their ordinals and the gaps that `clean.gaps` leaves open. Raises DataError if that is `fail`."""
    gaps = find_gaps(candles, grid, series.bar)
    if gaps and settings.gaps == "fail":
        _refuse_gaps(gaps, series, session_gaps(candles.frame["ts"].to_numpy(), series) if grid.continuous else None)
    filled: list[Gap] = []
    left: list[Gap] = []
    for gap in gaps:
        fill = settings.gaps == "fill" and gap.bars <= settings.max_fill and gap.kind != "dead"
        (filled if fill else left).append(gap)
    log.add("gap", sum(gap.bars for gap in left), map(_shown, left[:3]))
    log.add("filled", sum(gap.bars for gap in filled), map(_shown, filled[:3]))
    if not filled:
        return candles.frame, candles.ordinal, left
    frame = _fill(candles.frame, filled, grid)
    return frame, grid.locate(frame["ts"].to_numpy())[0], left


def _refuse_gaps(gaps: list[Gap], series: Series, sessions: SessionGaps | None) -> None:
    first = "; ".join(map(_shown, gaps[:3]))
    advice = Message("set clean.gaps = 'split' or 'fill', or choose a span without gaps")
    if sessions:
        advice = calendar_advice({series: sessions})[series]
    raise DataError(
        _(
            "{series}: {count} gap(s), the first at {first}; {advice}",
            series=series,
            count=len(gaps),
            first=first,
            advice=advice,
        )
    )


def _shown(gap: Gap) -> str:
    return f"{gap.span} {gap.bars} ({gap.kind})"


def _fill(frame: pl.DataFrame, gaps: list[Gap], grid: Grid) -> pl.DataFrame:
    """`frame` with flat bars in the gaps: the previous close as every price, volume and turnover 0."""
    ts = np.concatenate([grid.due(gap.span) for gap in gaps])
    flat = (
        pl.DataFrame({"ts": ts})
        .join_asof(frame.select("ts", "close"), on="ts")
        .select(
            "ts",
            *(pl.col("close").alias(price) for price in PRICES),
            vol=pl.lit(0.0),
            amt=pl.lit(0.0),
            provenance=pl.lit("filled", SCHEMA["provenance"]),
        )
    )
    return pl.concat([frame, flat]).sort("ts")


def split_segments(
    frame: pl.DataFrame, ordinal: Instants, unit_changes: Instants, settings: CleanConfig, log: Log
) -> pl.DataFrame:
    """`frame` with the column `segment`: a new number after each gap, at each jump and at each change of unit."""
    x = Columns.of(frame)
    jumps = checks.jumps(x, ordinal, settings.max_gap)
    log.add("jump", len(jumps), [f"{iso(int(x.ts[i]))} {x.close[i - 1]:.10g} → {x.open[i]:.10g}" for i in jumps[:3]])
    cuts = np.unique(np.concatenate([checks.after_gaps(ordinal), jumps, np.searchsorted(x.ts, unit_changes)]))
    bars = np.diff(cuts[cuts > 0], prepend=0, append=len(frame))
    numbers = np.arange(1, len(bars) + 1, dtype=np.uint32)
    return frame.hstack([pl.Series("segment", np.repeat(numbers, bars))])


def count_unusual(frame: pl.DataFrame, settings: CleanConfig, log: Log) -> None:
    """Count bars that are kept although they are unusual: without trade, or with an extreme range."""
    x = Columns.of(frame)
    idle = x.vol == 0
    if idle.any():
        real = _expand(idle[_real(frame)], _real(frame))
        log.rows("quiet", frame.filter(real & (x.high == x.low)))
        log.rows("silent", frame.filter(real & (x.high > x.low)))
    wide = checks.extreme(x, settings.max_gap)
    if wide.any():
        log.rows("extreme", frame.filter(wide))
