"""What is asked, what is kept, and that the way candles arrived leaves no trace."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronosforge.core.bars import Series, Span, bar
from kronosforge.core.errors import ConfigError, SourceError
from kronosforge.source.base import Batch
from kronosforge.store import Store, shelf, store
from tests.fakes import MemorySource, candles, grid
from tests.store.shelves import BAR, SERIES, Bench, numbers, span


def venue(first: int, stop: int, *, without: tuple[int, ...] = (), **how: object) -> MemorySource:
    times = [t for i, t in enumerate(grid(BAR, stop)) if i >= first and i not in without]
    return MemorySource(candles(times), **how)  # type: ignore[arg-type]


def test_everything_inside_the_span_comes(bench: Bench) -> None:
    source = venue(0, 50)
    bench.update(source, 10, 40)
    assert bench.times() == list(range(10, 40))
    assert bench.read().equals(source.frame.slice(10, 30))


def test_a_second_update_asks_nothing(bench: Bench) -> None:
    source = venue(0, 50)
    bench.update(source, 10, 40)
    source.asked.clear()
    assert bench.update(source, 10, 40).asked == source.asked == []


@pytest.mark.parametrize(
    ("start", "stop", "asked"),
    [
        (20, 40, [(30, 40)]),
        (10, 30, [(10, 20)]),
        (10, 40, [(30, 40), (10, 20)]),
        (22, 28, []),
        (45, 50, [(45, 50)]),
    ],
)
def test_extending_asks_only_for_what_is_missing(
    bench: Bench, start: int, stop: int, asked: list[tuple[int, int]]
) -> None:
    source = venue(0, 60)
    bench.update(source, 20, 30)
    source.asked.clear()
    bench.update(source, start, stop)
    assert numbers(source.asked) == asked


def test_nothing_before_the_listing_is_asked_again(bench: Bench) -> None:
    source = venue(30, 60)
    bench.update(source, 20, 60)
    assert bench.store.listing("memory", SERIES) == 30 * BAR.length
    source.asked.clear()
    bench.update(source, 0, 60)
    assert source.asked == []
    assert bench.gaps() == []


def test_what_lies_between_two_updates_stays_missing(bench: Bench) -> None:
    source = venue(0, 60)
    bench.update(source, 0, 10)
    bench.update(source, 20, 30)
    assert bench.missing(0, 30) == [(10, 20)]


def test_gaps_before_a_listing_seen_later_are_none(bench: Bench) -> None:
    bench.update(venue(20, 60, says_oldest=False), 10, 60)
    assert bench.gaps() == [(10, 20)]
    bench.update(venue(20, 60), 0, 60)
    assert bench.store.listing("memory", SERIES) == 20 * BAR.length
    assert bench.gaps() == []


def test_an_unborn_instrument_is_asked_for_again(bench: Bench) -> None:
    bench.update(venue(30, 60), 0, 20)
    assert bench.missing(0, 60) == [(0, 60)]


def test_after_the_newest_candle_nothing_is_taken_for_a_gap(bench: Bench) -> None:
    bench.update(venue(0, 27), 0, 30)
    assert bench.missing(0, 30) == [(27, 30)]
    bench.update(venue(0, 40), 0, 30)
    assert bench.times() == list(range(30))
    assert bench.gaps() == []


def test_a_bar_that_comes_the_second_time_is_kept(bench: Bench) -> None:
    source = venue(0, 40, hidden=grid(BAR, 40)[12:14])
    done = bench.update(source, 0, 40)
    assert numbers(done.again) == [(12, 14)]
    assert bench.times() == list(range(40))
    assert done.gaps == bench.gaps() == []


def test_a_gap_is_requested_twice_and_then_never(bench: Bench) -> None:
    source = venue(0, 40, without=(5, 20, 21))
    done = bench.update(source, 0, 40)
    assert numbers(source.asked) == [(0, 40), (20, 22), (5, 6)]
    assert numbers(done.gaps) == bench.gaps() == [(5, 6), (20, 22)]
    source.asked.clear()
    bench.update(source, 0, 40)
    assert source.asked == []


def test_gaps_of_a_span_are_clipped_to_it(bench: Bench) -> None:
    source = venue(0, 40, without=(5, 20, 21))
    bench.update(source, 0, 40)
    assert numbers(bench.update(source, 0, 21).gaps) == [(5, 6), (20, 21)]


def test_what_came_before_a_failure_is_kept(bench: Bench) -> None:
    with pytest.raises(ConnectionResetError):
        bench.update(venue(0, 40, fail_after=2), 0, 40)
    assert bench.times() == list(range(26, 40))
    assert bench.missing(0, 40) == [(0, 26)]


def test_the_span_need_not_lie_on_the_grid(bench: Bench) -> None:
    source = venue(0, 40)
    asyncio.run(bench.store.update(source, SERIES, Span(10 * BAR.length + 1, 20 * BAR.length + 1)))
    assert bench.times() == list(range(11, 21))


def test_progress_counts_to_the_whole(bench: Bench) -> None:
    seen: list[tuple[int, int]] = []
    bench.update(venue(0, 40), 20, 40)
    work = bench.store.update(venue(5, 40), SERIES, span(0, 40), lambda _, here, all_: seen.append((here, all_)))
    asyncio.run(work)
    assert [here for here, _ in seen] == [20, 27, 34, 40]
    assert {all_ for _, all_ in seen} == {40}


class _WholePages(MemorySource):
    """Answers in pages of its own, wider than what was asked."""

    async def fetch(self, series: Series, asked: Span) -> AsyncIterator[Batch]:
        self.asked.append(asked)
        yield Batch(span(0, 40), self._inside(span(0, 40)))


def test_a_revised_bar_gives_way_and_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.update(venue(0, 30), 0, 30)
    revised = candles(grid(BAR, 40), seed=1)
    with caplog.at_level(logging.WARNING, "kronosforge.store"):
        bench.update(_WholePages(revised), 0, 40)
    assert "revised 30 finished candles" in caplog.text
    assert bench.read().equals(revised)


def test_the_same_bar_twice_is_no_revision(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.update(venue(0, 30), 0, 30)
    bench.update(_WholePages(candles(grid(BAR, 40))), 0, 40)
    assert bench.times() == list(range(40))
    assert caplog.text == ""


def test_bars_of_another_anchor_are_refused(bench: Bench) -> None:
    hong_kong = candles([t + BAR.length // 2 for t in grid(BAR, 40)])
    with pytest.raises(SourceError, match="4H"):
        bench.update(MemorySource(hong_kong), 0, 40)
    assert bench.files() == []


@pytest.mark.parametrize("venue_name", ["..", ".", "", "a/b", "/etc", "a\\b", "x\0"])
def test_a_venue_cannot_leave_the_store(bench: Bench, venue_name: str) -> None:
    with pytest.raises(ConfigError):
        bench.store.read(venue_name, SERIES, span(0, 1))


@pytest.mark.parametrize("series", [Series("../../x", BAR), Series("BTC", BAR._replace(code="../4H"))])
def test_a_series_cannot_leave_the_store(bench: Bench, series: Series) -> None:
    with pytest.raises(ConfigError):
        bench.store.read("memory", series, span(0, 1))


def test_proxied_venues_and_anchored_bars_are_folders(bench: Bench) -> None:
    series = Series("BTC-USDT-SWAP", bar("1D@UTC+8"))
    source = MemorySource(candles(grid(series.bar, 9)), venue="okx@127.0.0.1_8080")
    asyncio.run(bench.store.update(source, series, Span(0, 20 * series.bar.length)))
    assert bench.store.read(source.venue, series, Span(0, 20 * series.bar.length)).equals(source.frame)
    assert [(stock.venue, stock.series) for stock in bench.store.inventory()] == [(source.venue, series)]


def test_the_inventory_says_what_is_held(bench: Bench) -> None:
    bench.update(venue(5, 40, without=(9,)), 0, 50)
    (stock,) = bench.store.inventory()
    assert (stock.venue, stock.series, stock.span, stock.rows) == ("memory", SERIES, span(5, 40), 34)
    assert (numbers(stock.gaps), stock.listing) == ([(9, 10)], 5 * BAR.length)
    assert (stock.files, stock.bytes) == (1, bench.files()[0].stat().st_size)


def test_looking_writes_nothing(bench: Bench) -> None:
    assert bench.missing(0, 9) == [(0, 9)]
    assert (bench.times(), bench.store.inventory()) == ([], [])
    assert list(bench.store.root.iterdir()) == []


def test_two_updates_at_once_fetch_once(bench: Bench) -> None:
    async def both(source: MemorySource) -> None:
        await asyncio.gather(*(bench.store.update(source, SERIES, span(0, 40)) for _ in range(2)))

    source = venue(0, 40)
    asyncio.run(both(source))
    assert numbers(source.asked) == [(0, 40)]


def test_files_hold_at_most_so_many_rows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FLUSH_ROWS", 1)
    monkeypatch.setattr(shelf, "MAX_ROWS", 20)
    bench.update(venue(0, 100), 0, 100)
    assert 5 <= len(bench.files()) <= 10
    assert max(pl.read_parquet(path).height for path in bench.files()) <= 20
    assert bench.times() == list(range(100))


@given(
    missing=st.sets(st.integers(0, 29), max_size=8),
    listing=st.integers(0, 15),
    says_oldest=st.booleans(),
    page=st.integers(2, 9),
    flush=st.sampled_from([4, 5_000]),
    asks=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(16, 30)), max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_any_sequence_of_updates_equals_one(
    *,
    missing: set[int],
    listing: int,
    says_oldest: bool,
    page: int,
    flush: int,
    asks: list[tuple[int, int, int]],
) -> None:
    def at(clock: int) -> MemorySource:
        return venue(listing, clock, without=tuple(missing), page=page, says_oldest=says_oldest)

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "FLUSH_ROWS", flush)
        patch.setattr(shelf, "MAX_ROWS", 12)
        # The venue's clock goes on between the updates.
        many, once = Bench(Path(folder) / "many"), Bench(Path(folder) / "once")
        clock = 0
        for start, stop, now in asks:
            clock = max(clock, now)
            many.update(at(clock), start, min(stop, clock))
            assert many.times(start, stop) == [number for number in many.times() if start <= number < stop]
        many.update(at(30), 0, 30)
        once.update(at(30), 0, 30)
        assert many.read().equals(at(30).frame)
        assert many.read().equals(once.read())
        assert (many.gaps(), many.missing(0, 30)) == (once.gaps(), once.missing(0, 30))
        assert many.store.listing("memory", SERIES) == once.store.listing("memory", SERIES)
        if says_oldest:
            assert many.gaps() == _runs({i for i in missing if _first(listing, missing) < i < _last(missing)})


def _first(listing: int, missing: set[int]) -> int:
    return next(i for i in range(listing, 31) if i not in missing)


def _last(missing: set[int]) -> int:
    return next(i for i in range(29, -1, -1) if i not in missing)


def _runs(bars: set[int]) -> list[tuple[int, int]]:
    starts = sorted(i for i in bars if i - 1 not in bars)
    return [(start, next(i for i in range(start, 32) if i not in bars)) for start in starts]


def test_reading_is_open_while_writing(tmp_path: Path) -> None:
    """A reader whose files are compacted away under it looks again."""
    bench = Bench(tmp_path)
    bench.update(venue(0, 20), 0, 10)
    shelf_ = bench.store._shelf("memory", SERIES)
    old = shelf_.ledger()
    other = Store(tmp_path)
    asyncio.run(other.update(venue(0, 20), SERIES, span(0, 20)))
    ledgers = iter([old])
    real = shelf_.ledger
    shelf_.ledger = lambda: next(ledgers, None) or real()  # type: ignore[method-assign]
    assert bench.times() == list(range(20))
