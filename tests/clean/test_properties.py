"""What holds for any candles, however broken."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronosforge.clean import clean, expected
from kronosforge.clean.findings import KINDS
from kronosforge.config import CleanConfig
from kronosforge.core.bars import Span, series
from kronosforge.core.candles import FEATURES, SCHEMA
from kronosforge.core.errors import DataError
from tests.clean.clean_frames import HOURLY, LENGTH, START, flat, run, walk

N = 150
WILD = st.sampled_from([None, float("nan"), float("inf"), -1.0, 0.0, 1e-12, 1e12])
CHANGES = st.one_of(
    st.tuples(st.just("value"), st.integers(0, N - 1), st.sampled_from(FEATURES), WILD),
    st.tuples(st.just("scale"), st.integers(0, N - 1), st.sampled_from(FEATURES), st.floats(0.3, 3)),
    st.tuples(st.just("time"), st.integers(0, N - 1), st.just("ts"), st.sampled_from([None, 1, LENGTH // 2, 3 * LENGTH])),
    st.tuples(st.just("double"), st.integers(0, N - 1), st.just(""), st.booleans()),
    st.tuples(st.just("remove"), st.integers(0, N - 1), st.just(""), st.integers(1, 6)),
    st.tuples(st.just("flat"), st.integers(1, N - 40), st.just(""), st.integers(2, 39)),
    st.tuples(st.just("unfinished"), st.integers(0, N - 1), st.just(""), st.none()),
)  # fmt: skip
SETTINGS = st.builds(
    CleanConfig,
    gaps=st.sampled_from(["split", "fill"]),
    max_fill=st.integers(1, 5),
    max_flat_run=st.integers(2, 30),
    max_gap=st.sampled_from([0.05, 0.4]),
    max_bad_share=st.just(0.99),
)


@st.composite
def spoiled(draw):
    """A sound series with up to twelve things done to it, some of the rows in another order."""
    frame = walk(N, draw(st.integers(0, 5)), draw(st.sampled_from(["exchange", "derived"])))
    frame = frame.with_columns(confirm=pl.lit(value=True))
    for what, row, name, value in draw(st.lists(CHANGES, max_size=12)):
        frame = _changed(frame, what, min(row, len(frame) - 1), name, value)
    if draw(st.booleans()):
        frame = frame.sample(fraction=1, shuffle=True, seed=1)
    return frame


def _changed(frame, what, row, name, value):
    here = pl.int_range(pl.len()) == row
    match what:
        case "value":
            frame = frame.with_columns(pl.when(here).then(pl.lit(value, pl.Float64)).otherwise(name).alias(name))
        case "scale":
            frame = frame.with_columns(pl.when(here).then(pl.col(name) * value).otherwise(name).alias(name))
        case "time":
            frame = frame.with_columns(ts=pl.when(here).then(pl.col("ts") + pl.lit(value, pl.Int64)).otherwise("ts"))
        case "double":
            frame = pl.concat([frame, frame[row].with_columns(pl.col("close") * (1.0 if value else 1.001))])
        case "remove":
            frame = pl.concat([frame[: max(row, 1)], frame[row + value :]])
        case "unfinished":
            frame = frame.with_columns(confirm=pl.when(here).then(pl.lit(value=False)).otherwise("confirm"))
        case "flat" if 0 < row < len(frame) - 1:
            frame = flat(frame, row, min(row + value, len(frame)))
    return frame


SPAN = Span(START, START + N * LENGTH)
quick = settings(max_examples=60, deadline=None)


def cleaned_or_refused(frame, settings_):
    """None only where the series is refused, which is rare: see the last test."""
    try:
        return clean(frame, HOURLY, SPAN, settings_)
    except DataError:
        return None


@given(spoiled(), SETTINGS)
@quick
def test_segments_are_whole_ascending_and_sound(frame, settings_):
    cleaned = cleaned_or_refused(frame, settings_)
    if cleaned is None:
        return
    out = cleaned.candles
    assert out.drop("segment").schema == SCHEMA
    assert out.null_count().sum_horizontal().item() == 0
    assert np.isfinite(out.select(FEATURES).to_numpy()).all()
    assert (out.select(FEATURES[:4]).to_numpy() > 0).all()
    assert (out.select("vol", "amt").to_numpy() >= 0).all()
    assert (out["high"] >= out.select(pl.max_horizontal("open", "close")).to_series() * (1 - 2e-9)).all()
    assert (out["low"] <= out.select(pl.min_horizontal("open", "close")).to_series() * (1 + 2e-9)).all()
    segment, step = out["segment"].to_numpy().astype(int), np.diff(out["ts"].to_numpy())
    assert segment[0] == 1
    assert set(np.diff(segment)) <= {0, 1}
    assert (step > 0).all()
    assert (step[np.diff(segment) == 0] == LENGTH).all()
    gap = np.abs(np.log(out["open"].to_numpy()[1:] / out["close"].to_numpy()[:-1]))
    assert (gap[np.diff(segment) == 0] <= settings_.max_gap + 1e-9).all()


@given(spoiled(), SETTINGS)
@quick
def test_nothing_vanishes_uncounted(frame, settings_):
    cleaned = cleaned_or_refused(frame, settings_)
    if cleaned is None:
        return
    by_action = {"dropped": 0, "filled": 0}
    for finding in cleaned.findings:
        by_action[finding.action] = by_action.get(finding.action, 0) + finding.count
        assert finding.action == KINDS[finding.kind].action
        assert 1 <= len(finding.examples) <= 3
    assert len(cleaned.candles) == len(frame) - by_action["dropped"] + by_action["filled"]
    assert by_action["filled"] == (cleaned.candles["provenance"] == "filled").sum()
    kept = cleaned.candles.filter(pl.col("provenance") != "filled").drop("segment", "amt", "provenance")
    assert len(kept.join(frame, on=kept.columns, how="anti")) == 0


@given(spoiled(), SETTINGS)
@quick
def test_every_due_bar_is_kept_or_in_a_gap_or_at_an_end(frame, settings_):
    cleaned = cleaned_or_refused(frame, settings_)
    if cleaned is None:
        return
    ts = cleaned.candles["ts"].to_list()
    inside = expected("24/7", HOURLY.bar, Span(ts[0], ts[-1] + 1)).tolist()
    missing = [t for gap in cleaned.gaps for t in range(gap.span.start, gap.span.stop, LENGTH)]
    assert sorted(ts + missing) == inside
    assert [gap.bars * LENGTH for gap in cleaned.gaps] == [gap.span.stop - gap.span.start for gap in cleaned.gaps]
    ends = sum(f.count for f in cleaned.findings if f.kind in ("starts_late", "ends_early"))
    assert len(inside) + ends == N


@given(spoiled(), SETTINGS)
@quick
def test_cleaning_again_drops_nothing(frame, settings_):
    cleaned = cleaned_or_refused(frame, settings_)
    if cleaned is None:
        return
    again = clean(cleaned.candles.drop("segment"), HOURLY, SPAN, settings_)
    assert not [f for f in again.findings if f.action in ("dropped", "derived")]
    # Only dead periods are forgotten once they are gaps: now they may be filled.
    if settings_.gaps == "split" or "dead" not in [gap.kind for gap in cleaned.gaps]:
        assert again.candles.equals(cleaned.candles)


@given(spoiled().map(lambda frame: frame.unique("ts", keep="first", maintain_order=True)), SETTINGS, st.integers())
@quick
def test_the_order_of_rows_does_not_matter(frame, settings_, seed):
    shuffled = frame.sample(fraction=1, shuffle=True, seed=seed & 0xFFFF)
    cleaned, other = cleaned_or_refused(frame, settings_), cleaned_or_refused(shuffled, settings_)
    if cleaned is None or other is None:
        assert cleaned is other
        return
    assert cleaned.candles.equals(other.candles)
    assert cleaned.gaps == other.gaps
    plain = [{f.kind: f.count for f in c.findings if f.kind != "order"} for c in (cleaned, other)]
    assert plain[0] == plain[1]


@pytest.mark.parametrize(("calendar", "key"), [("XSHG", "A_5m"), ("XNYS", "A_1H"), ("XHKG", "A_1D")])
@given(removed=st.sets(st.integers(1, 98), max_size=5))
@settings(max_examples=10, deadline=None)
def test_segments_follow_the_sessions(calendar, key, removed):
    stock = series(key)
    due = expected(calendar, stock.bar, Span(START, START + 200 * 86_400_000))[:100]
    frame = walk(100).with_columns(ts=pl.Series(due)).filter(~pl.int_range(pl.len()).is_in(sorted(removed)))
    cleaned = run(frame, stock, Span(int(due[0]), int(due[-1]) + 1), calendar=calendar)
    ordinal = np.searchsorted(due, cleaned.candles["ts"].to_numpy())
    cut = np.diff(cleaned.candles["segment"].to_numpy().astype(int))
    assert (cut == (np.diff(ordinal) > 1)).all()
    assert sum(gap.bars for gap in cleaned.gaps) == len(removed)


def test_the_properties_speak_of_candles_that_are_not_refused():
    refused = []

    @given(spoiled(), SETTINGS)
    @settings(max_examples=50, deadline=None, database=None, derandomize=True)
    def count(frame, settings_):
        refused.append(cleaned_or_refused(frame, settings_) is None)

    count()
    assert np.mean(refused) < 0.1
