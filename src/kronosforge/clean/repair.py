"""What is done about what the checks find. Every row that goes, comes or changes is counted in the log."""

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

MOST = 0.9  # of the bars with volume: so many are the whole series


class Gap(NamedTuple):
    """Bars that are due between the first and the last kept one, and are not there."""

    span: Span  # from the first missing bar's open to the last missing bar's close
    bars: int
    kind: str  # venue: no finished bar came; removed: broken bars stood there; dead: a long stretch without trade


def tidy(candles: pl.DataFrame, span: Span, max_gap: float, log: Log) -> pl.DataFrame:
    """One finished candle for each instant of `span`, ascending."""
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
    late = np.append(False, step < 0)
    log.rows("order", frame.filter(late))
    frame = frame.sort("ts", maintain_order=True)
    twice = frame["ts"].is_duplicated()
    return _one_of_each(frame, twice, max_gap, log) if twice.any() else frame


def _one_of_each(frame: pl.DataFrame, twice: pl.Series, max_gap: float, log: Log) -> pl.DataFrame:
    """Of each time the copy that came last, unless it jumps away from the price before and another copy does not."""
    alone = frame.filter(~twice)
    before = alone.select("ts", before="close").filter(pl.col("before").is_finite() & (pl.col("before") > 0))
    copies = frame.filter(twice).join_asof(before, on="ts")
    distance = (pl.col("open") / pl.col("before")).log().abs()
    # A price that is missing, infinite or negative has no distance: it is as far as can be.
    far = pl.col("before").is_not_null() & ~(distance.fill_null(np.nan).fill_nan(np.inf) <= max_gap)
    copies = copies.with_columns(far=far).sort("ts", "far", descending=[False, True], maintain_order=True)
    copies = copies.with_columns(rank=pl.int_range(pl.len()).over("ts"), copies=pl.len().over("ts"))
    chosen = copies.filter(pl.col("rank") == pl.col("copies") - 1).select(SCHEMA.names())
    losers = copies.filter(pl.col("rank") < pl.col("copies") - 1).select(SCHEMA.names())
    same = losers.join(chosen, on=SCHEMA.names(), how="semi", nulls_equal=True, maintain_order="left")
    log.rows("duplicate", same)
    other = losers.join(chosen, on=SCHEMA.names(), how="anti", nulls_equal=True, maintain_order="left")
    log.add("conflict", len(other), _contradictions(other, chosen))
    return pl.concat([alone, chosen]).sort("ts")


def _contradictions(losers: pl.DataFrame, chosen: pl.DataFrame) -> list[str]:
    kept = losers.head(3).select("ts").join(chosen, on="ts", maintain_order="left")
    pairs = zip(losers.head(3).iter_rows(named=True), kept.iter_rows(named=True), strict=True)
    return [f"{shown(loser)} ≠ {values(winner)}" for loser, winner in pairs]


def in_units(frame: pl.DataFrame, unit: float) -> pl.DataFrame:
    """Volume counted in coins or shares; turnover that was derived from it follows."""
    if unit == 1:
        return frame
    amt = pl.when(pl.col("origin") == "derived").then(pl.col("amt") * unit).otherwise("amt")
    return frame.with_columns(pl.col("vol") * unit, amt)


class Sound(NamedTuple):
    """Candles that are sound one by one."""

    frame: pl.DataFrame
    ordinal: Instants  # of each row in the calendar
    removed: Instants  # ts of bars that were due and were taken out
    dead: Instants  # ts of those taken out because nothing traded


def sound(frame: pl.DataFrame, grid: Grid, rules: CleanConfig, log: Log) -> Sound:
    """Take out what stands at a wrong time, is impossible, repeated, frozen or dead."""
    ordinal, due = grid.place(frame["ts"].to_numpy())
    if not due.all():
        frame = log.drop("off_grid" if grid.continuous else "off_calendar", frame, pl.Series(~due))
        ordinal = ordinal[due]
    removed: list[Instants] = []
    dead: list[Instants] = []
    bad = _impossible(frame) or _unlikely(frame, ordinal, grid, rules)
    while bad:
        ts = frame["ts"].to_numpy()
        gone = np.zeros(len(frame), dtype=bool)
        for kind, mask in bad.items():
            log.rows(kind, frame.filter(mask & ~gone))
            (dead if kind == "dead" else removed).append(ts[mask & ~gone])
            gone |= mask
        frame, ordinal = frame.filter(~gone), ordinal[~gone]
        # With these gone, what is left may look different: look until nothing is found.
        bad = _unlikely(frame, ordinal, grid, rules)
    return Sound(frame, ordinal, _sorted(removed), _sorted(dead))


def _impossible(frame: pl.DataFrame) -> dict[str, Mask]:
    codes = checks.broken(Columns.of(frame))
    return {kind: codes == code for code, kind in enumerate(checks.BROKEN) if code} if codes.any() else {}


def _unlikely(frame: pl.DataFrame, ordinal: Instants, grid: Grid, rules: CleanConfig) -> dict[str, Mask]:
    """Masks of bars that are possible one by one, but not beside the others. Bars that were filled are no evidence."""
    real = _real(frame)
    x, at = Columns.of(frame).at(real), ordinal[real]
    masks = {"repeated": checks.repeated(x), "dead": checks.dead(checks.still(x), at, rules.max_flat_run)}
    if grid.continuous and rules.frozen == "drop":
        masks["frozen"] = checks.frozen(x, at, rules.max_gap)
    return {kind: _spread(mask, real) for kind, mask in masks.items() if mask.any()}


def _real(frame: pl.DataFrame) -> Mask | slice:
    filled = frame["origin"] == "filled"
    return (~filled).to_numpy() if filled.any() else slice(None)


def _spread(mask: Mask, rows: Mask | slice) -> Mask:
    """`mask`, made over some rows, over all of them."""
    if isinstance(rows, slice):
        return mask
    whole = np.zeros(len(rows), dtype=bool)
    whole[rows] = mask
    return whole


def _sorted(parts: list[Instants]) -> Instants:
    return np.sort(np.concatenate([np.empty(0, np.int64), *parts]))


def judge(rows: int, rules: CleanConfig, series: Series, log: Log, ts: Instants) -> None:
    """Raises DataError where more than `max_bad_share` of `rows` are broken; says which, and what to do.

    `ts` are the open times as they arrived: where most broken bars stand off the calendar, they may fit another.
    """
    if log.broken <= rules.max_bad_share * rows:
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
            allowed=rules.max_bad_share,
            findings=MessageList(kinds, "; "),
            advice=_other_calendar(worst.kind, ts, series) or KINDS[worst.kind].advice,
        )
    )


def _other_calendar(kind: str, ts: Instants, series: Series) -> Message | None:
    """Advice that names the calendar that the bars fit, where they stand off the one that was set."""
    gaps = session_gaps(ts, series) if kind in ("off_grid", "off_calendar") else None
    return calendar_advice({series: gaps})[series] if gaps and gaps.calendars else None


def turnover(frame: pl.DataFrame, rules: CleanConfig, series: Series, log: Log) -> tuple[pl.DataFrame, Instants]:
    """Turnover that fits volume and price, and the times at which the unit of volume changes.

    Single bars whose turnover / volume lies outside low … high get derived turnover. Runs of them that are off by one
    factor are sound in themselves: the unit changes there. Raises DataError where that is the whole series.
    """
    x = Columns.of(frame)
    off = checks.outside_range(x)
    derived = int((frame["origin"] == "derived").sum())
    cuts: list[int] = []
    if off.any():
        given = (frame["origin"] == "exchange").to_numpy()
        off &= given
        traded = np.flatnonzero((x.vol > 0) & given)
        factor = x.amt[traded] / (x.vol[traded] * (x.open + x.high + x.low + x.close)[traded] / 4)
        changed = checks.unit_runs(factor, off[traded])
        _refuse_unit(changed, len(traded), rules, series)
        for first, stop, _factor in changed:
            off[traded[first:stop]] = False
            cuts += [int(traded[edge]) for edge in (first, stop) if 0 < edge < len(traded)]
        frame = _derive(frame, off, log)
    if 2 * derived > len(frame):
        cuts += [at for at, _ in checks.volume_steps(x.vol)]
    at = np.unique(np.array(cuts, dtype=np.int64))
    log.add("unit", len(at), [f"{iso(int(x.ts[i]))} vol {x.vol[i - 1]:.10g} → {x.vol[i]:.10g}" for i in at[:3]])
    return frame, x.ts[at]


def _refuse_unit(changed: list[tuple[int, int, float]], traded: int, rules: CleanConfig, series: Series) -> None:
    off = sum(stop - first for first, stop, _factor in changed)
    if off <= MOST * traded:
        return
    factor = max(changed, key=lambda run: run[1] - run[0])[2]
    unit = float(f"{rules.volume_unit * factor:.4g}")
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
    origin = pl.when(wrong).then(pl.lit("derived", SCHEMA["origin"])).otherwise("origin").alias("origin")
    return frame.with_columns(amt, origin)


def find_gaps(candles: Sound, grid: Grid, bar: Bar) -> list[Gap]:
    """Every stretch of due bars that are not there between two that are, ascending."""
    after = checks.gaps(candles.ordinal)
    first, last = candles.ordinal[after - 1] + 1, candles.ordinal[after] - 1
    starts, stops = grid.at(first), grid.at(last) + bar.length
    dead = np.diff(np.searchsorted(candles.dead, [starts, stops]), axis=0)[0] > 0
    removed = np.diff(np.searchsorted(candles.removed, [starts, stops]), axis=0)[0] > 0
    kinds = np.select([dead, removed], ["dead", "removed"], "venue")
    table = zip(starts.tolist(), stops.tolist(), (last - first + 1).tolist(), kinds.tolist(), strict=True)
    return [Gap(Span(start, stop), bars, kind) for start, stop, bars, kind in table]


def close_gaps(
    candles: Sound, grid: Grid, series: Series, rules: CleanConfig, log: Log
) -> tuple[pl.DataFrame, Instants, list[Gap]]:
    """Candles, their ordinals and the gaps that stay open, by the setting `clean.gaps`. Raises DataError with `fail`."""
    gaps = find_gaps(candles, grid, series.bar)
    if gaps and rules.gaps == "fail":
        _refuse_gaps(gaps, series, session_gaps(candles.frame["ts"].to_numpy(), series) if grid.continuous else None)
    filled: list[Gap] = []
    left: list[Gap] = []
    for gap in gaps:
        short = rules.gaps == "fill" and gap.bars <= rules.max_fill and gap.kind != "dead"
        (filled if short else left).append(gap)
    log.add("hole", sum(h.bars for h in left), map(_shown, left[:3]))
    log.add("filled", sum(h.bars for h in filled), map(_shown, filled[:3]))
    if not filled:
        return candles.frame, candles.ordinal, left
    frame = _fill(candles.frame, filled, grid)
    return frame, grid.place(frame["ts"].to_numpy())[0], left


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
    """Flat bars at the close before each gap, volume and turnover 0."""
    ts = np.concatenate([grid.due(gap.span) for gap in gaps])
    made = pl.DataFrame({"ts": ts}).join_asof(frame.select("ts", "close"), on="ts")
    flat = made.select(
        "ts",
        *(pl.col("close").alias(price) for price in PRICES),
        vol=pl.lit(0.0),
        amt=pl.lit(0.0),
        origin=pl.lit("filled", SCHEMA["origin"]),
    )
    return pl.concat([frame, flat]).sort("ts")


def segments(frame: pl.DataFrame, ordinal: Instants, units: Instants, rules: CleanConfig, log: Log) -> pl.DataFrame:
    """`frame` with the column `segment`: a new number after each gap, at each jump and at each change of unit."""
    x = Columns.of(frame)
    jumps = checks.jumps(x, ordinal, rules.max_gap)
    log.add("jump", len(jumps), [f"{iso(int(x.ts[i]))} {x.close[i - 1]:.10g} → {x.open[i]:.10g}" for i in jumps[:3]])
    cuts = np.unique(np.concatenate([checks.gaps(ordinal), jumps, np.searchsorted(x.ts, units)]))
    bars = np.diff(cuts[cuts > 0], prepend=0, append=len(frame))
    numbers = np.arange(1, len(bars) + 1, dtype=np.uint32)
    return frame.hstack([pl.Series("segment", np.repeat(numbers, bars))])


def remark(frame: pl.DataFrame, rules: CleanConfig, log: Log) -> None:
    """Count what is kept, and worth knowing."""
    x = Columns.of(frame)
    idle = x.vol == 0
    if idle.any():
        real = _spread(idle[_real(frame)], _real(frame))
        log.rows("quiet", frame.filter(real & (x.high == x.low)))
        log.rows("silent", frame.filter(real & (x.high > x.low)))
    wide = checks.extreme(x, rules.max_gap)
    if wide.any():
        log.rows("extreme", frame.filter(wide))
