"""Page boundaries: every bar once, whatever the span, the page, the listing, the gaps and the faults."""

import asyncio
import itertools
from collections.abc import Collection
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.core.bars import MINUTE, Series, Span, bar
from kronosforge.core.candles import SCHEMA
from kronosforge.core.errors import NoDataError, SourceError
from kronosforge.source.base import Batch
from kronosforge.source.exchanges.pages import Candle, Page, as_page
from kronosforge.source.exchanges.walk import IN_FLIGHT, walk
from tests.source.exchanges.clockwork import run

SERIES = Series("BTC-USDT-SWAP", bar("1m"))
T0 = 1_000_000 * MINUTE
LAST = 120  # bars of the made-up market, the forming one included
NOW = T0 + (LAST - 1) * MINUTE + 30_000


class Market:
    """Pages of the bars numbered `opens`, the last one forming; `faulty` numbers the requests answered wrongly."""

    series = SERIES

    def __init__(
        self,
        opens: Collection[int],
        limit: int,
        *,
        clamp: int | None = None,
        faulty: Collection[int] = (),
        tries: int = 9,
    ) -> None:
        self.times = sorted(T0 + number * MINUTE for number in opens)
        self.limit, self.clamp, self.faulty, self.tries = limit, clamp or limit, faulty, tries
        self.asked: list[int] = []

    async def page(self, newest: int) -> Page:
        self.asked.append(newest)
        number = len(self.asked) - 1
        await asyncio.sleep(0.1 * (1 + number % 3))  # answers overtake each other
        if number in self.faulty:
            newest = -1 if number % 2 else newest - self.limit * MINUTE  # an empty page, or one that is another's
        times = [ts for ts in self.times if ts <= newest][-self.clamp :]
        return [candle(ts) for ts in reversed(times)]


def candle(ts: int) -> Candle:
    return Candle(ts, 1.0, 2.0, 0.5, 1.5, float(ts % 1000), 7.0, ts + MINUTE <= NOW)


def numbered(start: int, stop: int) -> Span:
    return Span(T0 + start * MINUTE, T0 + stop * MINUTE)


async def everything(market: Market, span: Span) -> list[Batch]:
    async with aclosing(walk(market, span, NOW)) as batches:
        return [batch async for batch in batches]


def fetch(market: Market, span: Span) -> list[Batch]:
    return run(everything(market, span))


def bars(batches: list[Batch]) -> list[int]:
    """The numbers of the bars, oldest first."""
    return [(ts - T0) // MINUTE for batch in reversed(batches) for ts in batch.candles["ts"]]


def check(batches: list[Batch], span: Span, market: Market) -> None:
    """What `Source.fetch` promises."""
    assert bars(batches) == [
        (ts - T0) // MINUTE for ts in market.times if span.start <= ts < span.stop and ts + MINUTE <= NOW
    ]
    assert batches[0].span.stop == span.stop
    assert all(newer.span.start == older.span.stop for newer, older in itertools.pairwise(batches))
    assert all(batch.candles.schema == SCHEMA for batch in batches)
    assert not any(batch.oldest for batch in batches[:-1])
    last = batches[-1]
    assert last.oldest or last.span.start == span.start
    if last.oldest:
        assert not [ts for ts in market.times if ts < last.span.start]


spans = st.tuples(st.integers(-30, LAST + 10), st.integers(0, LAST + 20)).filter(lambda ends: ends[0] < ends[1])
listings = st.integers(0, LAST - 2)
gaps = st.sets(st.integers(0, LAST - 1), max_size=60)


@given(spans, listings, gaps, st.integers(2, 40), st.integers(2, 40))
def test_every_bar_comes_once(ends: tuple[int, int], listing: int, gone: set[int], limit: int, clamp: int) -> None:
    opens = (set(range(listing, LAST)) - gone) | {listing}
    market = Market(opens, limit, clamp=clamp)
    span = numbered(*ends)
    check(fetch(market, span), span, market)


@given(spans, listings, gaps, st.integers(2, 40), st.sets(st.integers(0, 200), max_size=40))
def test_wrong_and_empty_pages_change_nothing(
    ends: tuple[int, int], listing: int, gone: set[int], limit: int, faulty: set[int]
) -> None:
    # the bar above the span proves the first page: with it, no wrong page goes unseen
    opens = (set(range(listing, LAST)) - gone) | {listing, min(ends[1], LAST - 1)}
    market = Market(opens, limit, faulty={number for number in faulty if number % 5 != 4})
    span = numbered(*ends)
    check(fetch(market, span), span, market)


@pytest.mark.parametrize("bars_asked", [1, 8, 9, 10, 18, 19, 27])
def test_pages_that_end_where_the_span_ends(bars_asked: int) -> None:
    market = Market(range(LAST), limit=10)
    span = numbered(LAST - 1 - bars_asked, LAST - 1)
    check(fetch(market, span), span, market)
    assert len(market.asked) == -(-(bars_asked + 1 - 1) // 9)  # the forming bar on top, then nine new bars a page


def test_pages_are_under_way_together_and_none_is_asked_twice() -> None:
    market = Market(range(LAST), limit=4)
    span = numbered(0, LAST - 1)
    check(fetch(market, span), span, market)
    assert len(set(market.asked)) == len(market.asked) == 40


def test_a_span_before_the_listing_is_empty_and_says_so() -> None:
    market = Market(range(60, LAST), limit=10)
    assert [(b.oldest, b.candles.height) for b in fetch(market, numbered(10, 20))] == [(True, 0)]


def test_the_span_just_before_the_listing_takes_two_looks() -> None:
    market = Market(range(60, LAST), limit=10)
    (batch,) = fetch(market, numbered(10, 60))
    assert batch.oldest
    assert batch.candles.is_empty()
    assert len(market.asked) <= 3 + IN_FLIGHT


def test_what_is_not_finished_is_no_candle_yet() -> None:
    market = Market(range(LAST), limit=10)
    (batch,) = fetch(market, numbered(LAST - 1, LAST + 5))
    assert batch.candles.is_empty()
    assert not market.asked


def test_no_candle_at_all_is_said() -> None:
    with pytest.raises(NoDataError, match="BTC-USDT-SWAP_1m"):
        fetch(Market([], limit=10), numbered(0, 50))


def test_pages_that_never_join_are_an_error() -> None:
    market = Market(range(LAST), limit=10, faulty=range(1, 1000), tries=3)
    with pytest.raises(SourceError, match="responses are inconsistent"):
        fetch(market, numbered(0, LAST - 1))


def test_a_walk_that_is_left_leaves_nothing_under_way() -> None:
    market = Market(range(LAST), limit=4)

    async def leave() -> int:
        async with aclosing(walk(market, numbered(0, LAST - 1), NOW)) as batches:
            async for _ in batches:
                break
            async for _ in batches:
                break
        return len(asyncio.all_tasks())

    assert run(leave()) == 1  # the test itself


def test_a_page_keeps_the_finished_copy_of_a_bar() -> None:
    forming, done = candle(T0)._replace(finished=False, close=1.2), candle(T0)
    assert as_page([forming, done, forming], SERIES, T0) == [done]


def test_two_finished_copies_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="two different bars"):
        as_page([candle(T0), candle(T0)._replace(close=1.2)], SERIES, T0)


def test_a_bar_off_the_grid_is_refused() -> None:
    with pytest.raises(SourceError, match=r"not on the .* grid"):
        as_page([candle(T0 + 1)], SERIES, T0 + MINUTE)
