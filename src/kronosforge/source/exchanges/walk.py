"""Walk back through a venue's history page by page, without losing or doubling a bar between two pages.

Each page is requested at a bar that an earlier page held, and must begin with it. This overlap of one bar proves that
nothing lies between the pages; an empty or wrong page fails the proof and is requested again. Only a page that holds
the overlap alone is the beginning of history. The walk relies on one property of the venue: a page requested at T holds
the newest bars that open at or before T, with none left out.

To use the whole request rate, pages are requested ahead, at the cursors where a market without gaps would have its page
ends; where it has gaps, or a page is short, the pages still have to pass the same proof.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

import polars as pl

from kronosforge.core.bars import Span, iso
from kronosforge.core.candles import SCHEMA
from kronosforge.core.errors import NoDataError, SourceError
from kronosforge.core.i18n import _
from kronosforge.source.base import Batch
from kronosforge.source.exchanges.failures import Notices
from kronosforge.source.exchanges.pages import Page, Pages
from kronosforge.source.exchanges.transport import pause

IN_FLIGHT = 16  # pages under way at once: OKX's 10 a second at 1.6 s of latency
ANCHOR_TRIES = 8  # requests for the bar above a span, which proves the first page; it may really be missing


async def walk(pages: Pages, span: Span, now: int) -> AsyncGenerator[Batch, None]:
    """`Source.fetch` for a venue of pages. `now` is the venue's clock, ms; later bars are not requested.

    Raises NoDataError where the venue has no candle of the series at all, SourceError where its pages do not join.
    """
    above = min(pages.series.bar.ceil(span.stop), pages.series.bar.floor(now))
    if span.start >= above:
        yield _batch([], span)
        return
    page = await _top(pages, above)
    if not page:
        await _expect_nothing(pages, above, now)
        yield _batch([], span)._replace(oldest=True)
        return
    batch = _batch(page, _added(page, span))
    ahead = _Ahead(pages, span.start, page[-1].ts)
    try:
        while (oldest := page[-1].ts) > span.start:
            older = await ahead.join(page)
            if older is None:
                batch = batch._replace(span=batch.span or span, oldest=True)
                break
            if older[-1].ts < oldest:
                if batch.span:
                    yield batch
                page, span = older, Span(span.start, batch.span.start)
                batch = _batch(page, _added(page, span))
        yield batch
    finally:
        await ahead.close()


class _Ahead:
    """Pages requested ahead, newest first, down to `start`; `oldest` is the oldest bar fetched so far."""

    def __init__(self, pages: Pages, start: int, oldest: int) -> None:
        self._pages = pages
        self._start = start
        self._next = oldest
        self._notices = Notices()
        self._under_way: deque[tuple[int, asyncio.Task[Page]]] = deque()

    async def join(self, page: Page) -> Page | None:
        """The next page, which overlaps `page`, the oldest one so far; None where nothing older exists."""
        cursor, task = self._take(page[-1].ts)
        overlap = next(candle.ts for candle in page if candle.ts <= cursor)
        page = await self._proven(await task, cursor, overlap)
        if [candle.ts for candle in page] != [page[-1].ts]:
            return page
        # the beginning is stored permanently, so it is checked a second time
        page = await self._proven(await self._pages.page(cursor), cursor, overlap)
        return page if len(page) > 1 else None

    def _take(self, oldest: int) -> tuple[int, asyncio.Task[Page]]:
        """The next requested page; where that would leave a gap below `oldest`, a page at `oldest` itself."""
        self._next = min(self._next, oldest)
        while len(self._under_way) < IN_FLIGHT and self._next > self._start:
            self._under_way.append((self._next, self._ask(self._next)))
            self._next -= (self._pages.limit - 1) * self._pages.series.bar.length
        if not self._under_way or self._under_way[0][0] < oldest:
            return oldest, self._ask(oldest)
        return self._under_way.popleft()

    def _ask(self, newest: int) -> asyncio.Task[Page]:
        return asyncio.create_task(self._page(newest))

    async def _page(self, newest: int) -> Page:
        return await self._pages.page(newest)

    async def _proven(self, page: Page, cursor: int, overlap: int) -> Page:
        """`page`, or another one at `cursor`, that begins with the bar at `overlap`. Raises SourceError."""
        for attempt in range(1, self._pages.tries + 1):
            if page and page[0].ts == overlap:
                return page
            self._notices.show(
                _(
                    "{series}: attempt {attempt} of {tries} returned a page without the bar at {overlap}; retrying",
                    series=self._pages.series,
                    attempt=attempt,
                    tries=self._pages.tries,
                    overlap=iso(overlap),
                )
            )
            await pause(attempt)
            page = await self._pages.page(cursor)
        raise SourceError(
            _(
                "{series}: {tries} pages in a row lack the bar at {overlap}, which an earlier page contained; the exchange's responses are inconsistent, try again later",
                series=self._pages.series,
                tries=self._pages.tries,
                overlap=iso(overlap),
            )
        )

    async def close(self) -> None:
        """Cancel the pages still requested."""
        tasks = [task for _, task in self._under_way]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _top(pages: Pages, at: int) -> Page:
    """The page at `at`, if possible one that begins there: with the bar above the span, usually the forming one."""
    best: Page = []
    for _try in range(ANCHOR_TRIES):
        page = await pages.page(at)
        if page and (not best or page[0].ts > best[0].ts):
            best = page
        if best and best[0].ts == at:
            break
    return best


def _added(page: Page, span: Span) -> Span:
    """The part of `span` that `page` covers, where all above it is covered."""
    return Span(min(max(span.start, page[-1].ts), span.stop), span.stop)


def _batch(page: Page, span: Span) -> Batch:
    """The finished bars of `page` inside `span`."""
    inside = [candle for candle in reversed(page) if candle.finished and span.start <= candle.ts < span.stop]
    rows = [(*candle[:-1], "exchange") for candle in inside]
    return Batch(span, pl.DataFrame(rows, schema=SCHEMA, orient="row"))


async def _expect_nothing(pages: Pages, below: int, now: int) -> None:
    """Prove that no bar opens at or before `below`, where pages were empty, by bisecting to the oldest bar.

    Raises NoDataError where there is no bar at all, SourceError where responses contradict each other.
    """
    newest = await _top(pages, pages.series.bar.floor(now))
    if not newest:
        raise NoDataError(_("the exchange has no candles for {series}; check the name", series=pages.series))
    oldest = newest[-1].ts
    for _try in range(pages.tries):
        oldest = await _halved(pages, below, oldest)
        page = await pages.page(oldest)
        if oldest > below and [candle.ts for candle in page] == [oldest]:
            return
    raise SourceError(
        _(
            "{series}: pages before {below} are empty although older bars exist; try again later",
            series=pages.series,
            below=iso(below),
        )
    )


async def _halved(pages: Pages, empty: int, oldest: int) -> int:
    """The oldest bar that pages between `empty`, where there was none, and `oldest` lead to."""
    bar = pages.series.bar
    while oldest - empty > bar.length:
        middle = bar.floor((empty + oldest) // 2)
        page = await pages.page(middle)
        empty, oldest = (empty, page[-1].ts) if page else (middle, oldest)
    return oldest
