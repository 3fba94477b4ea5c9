"""What every source keeps. A new one is a line in `worlds.WORLDS`."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import TypeVar

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kronosforge.core.bars import Span
from kronosforge.core.candles import SCHEMA
from kronosforge.core.errors import NoDataError
from kronosforge.source.base import Batch
from tests.contracts.worlds import BAR, GAP, LISTED, NOW, STOP, WORLDS, World, truth

T = TypeVar("T")
Ask = Callable[[Callable[[World], Awaitable[T]]], T]

H4 = BAR.length
ALL = Span(LISTED - 50 * H4, STOP)
SPANS = {
    "the newest": Span(STOP - 5 * H4, STOP),
    "one bar": Span(STOP - 100 * H4, STOP - 99 * H4),
    "many pages": Span(STOP - 180 * H4, STOP),
    "over the gap": Span(GAP.start - 30 * H4, GAP.stop + 30 * H4),
    "the gap itself": GAP,
    "up to the gap": Span(GAP.start - 3 * H4, GAP.start),
    "out of the gap": Span(GAP.stop - 2 * H4, GAP.stop + 2 * H4),
    "from the listing": Span(LISTED, LISTED + 70 * H4),
    "over the listing": ALL,
    "before the listing": Span(LISTED - 50 * H4, LISTED),
    "long before the listing": Span(LISTED - 50 * H4, LISTED - 40 * H4),
    "off the grid": Span(STOP - 20 * H4 + 1, STOP - 10 * H4 + 1),
    "into the future": Span(STOP - 5 * H4, STOP + 5 * H4),
}


@pytest.fixture(scope="module", params=WORLDS)
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ask[T]:
    """Runs a job with each source in turn."""

    def answer(job: Callable[[World], Awaitable[T]]) -> T:
        async def live() -> T:
            async with WORLDS[request.param](tmp_path_factory.mktemp("files")) as world:
                return await job(world)

        return asyncio.run(live())

    return answer


@pytest.fixture(scope="module")
def fetched(ask: Ask[dict[Span, list[Batch]]]) -> dict[Span, list[Batch]]:
    """What the source answers for each of SPANS."""

    async def each(world: World) -> dict[Span, list[Batch]]:
        return {span: await fetch(world, span) for span in SPANS.values()}

    return ask(each)


def finished(batch: Batch) -> pl.DataFrame:
    """The candles of a batch; files hand out unfinished rows too, and say so in a column of their own."""
    frame = batch.candles
    return (frame.filter("confirm") if "confirm" in frame.columns else frame).select(SCHEMA.names())


async def fetch(world: World, span: Span) -> list[Batch]:
    return [batch async for batch in world.source.fetch(world.series, span)]


@pytest.mark.parametrize("span", SPANS.values(), ids=SPANS)
def test_every_finished_bar_once_with_its_values(fetched: dict[Span, list[Batch]], span: Span) -> None:
    batches = fetched[span]
    assert_frame_equal(pl.concat([finished(batch) for batch in reversed(batches)]), truth(span), check_exact=True)


@pytest.mark.parametrize("span", SPANS.values(), ids=SPANS)
def test_the_batches_are_the_span(fetched: dict[Span, list[Batch]], span: Span) -> None:
    batches = fetched[span]
    assert batches[0].span.stop == span.stop
    assert all(newer.span.start == older.span.stop for newer, older in pairwise(batches))
    assert batches[-1].oldest or batches[-1].span.start == span.start
    for batch in batches:
        assert batch.candles.filter(~pl.col("ts").is_between(*batch.span, closed="left")).is_empty()


@pytest.mark.parametrize("span", SPANS.values(), ids=SPANS)
def test_the_beginning_is_said_where_it_is_and_nowhere_else(fetched: dict[Span, list[Batch]], span: Span) -> None:
    *others, last = fetched[span]
    assert not any(batch.oldest for batch in others)
    if span.start < LISTED:
        assert last.oldest
    if span.start > LISTED:
        assert not last.oldest


def test_an_unknown_instrument_is_named(ask: Ask[None]) -> None:
    async def wrong(world: World) -> None:
        with pytest.raises(NoDataError, match="NOSUCH"):
            [batch async for batch in world.source.fetch(world.unknown, ALL)]

    ask(wrong)


def test_its_clock_is_between_the_last_close_and_the_truth(ask: Ask[int]) -> None:
    assert STOP <= ask(lambda world: world.source.now()) <= NOW + 60_000


def test_the_cost_is_known_without_asking(ask: Ask[None]) -> None:
    async def weigh(world: World) -> None:
        await world.source.close()
        small, large = (world.source.cost(world.series, Span(STOP - n * H4, STOP), NOW) for n in (1, 50_000))
        assert 0 <= small.pages <= large.pages
        assert 0 <= small.seconds <= large.seconds

    ask(weigh)


def test_it_can_be_closed_twice(ask: Ask[None]) -> None:
    async def close(world: World) -> None:
        await world.source.now()
        await world.source.close()
        await world.source.close()

    ask(close)


def test_what_it_hands_out_follows_the_schema(fetched: dict[Span, list[Batch]]) -> None:
    assert all(finished(batch).schema == SCHEMA for batch in fetched[SPANS["many pages"]])


def test_two_series_at_once_do_not_disturb_each_other(ask: Ask[list[list[Batch]]]) -> None:
    first, second = SPANS["many pages"], SPANS["over the gap"]

    async def both(world: World) -> list[list[Batch]]:
        return await asyncio.gather(fetch(world, first), fetch(world, second))

    for span, batches in zip((first, second), ask(both), strict=True):
        assert_frame_equal(pl.concat([finished(b) for b in reversed(batches)]), truth(span), check_exact=True)
