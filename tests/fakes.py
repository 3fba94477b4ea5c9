"""Small working parts shared by several tests."""

from collections.abc import AsyncIterator, Iterable

import numpy as np
import polars as pl

from kronosforge.core.bars import Bar, Series, Span
from kronosforge.core.candles import SCHEMA
from kronosforge.source.base import Batch, Cost


def candles(times: Iterable[int], seed: int = 0) -> pl.DataFrame:
    """Valid candles at `times` (ms); a bar's values depend on its time and the seed only."""
    ts = np.array(sorted(times), dtype=np.int64)
    close = np.round(100 + 50 * np.sin(ts / 1e9 + seed), 4)
    opened = np.round(close * (1 + 0.01 * np.cos(ts / 7e8)), 4)
    volume = np.round(2 + np.sin(ts / 3e8), 6)
    frame = {
        "ts": ts,
        "open": opened,
        "high": np.maximum(opened, close) + 1,
        "low": np.minimum(opened, close) - 1,
        "close": close,
        "vol": volume,
        "amt": volume * close,
        "provenance": ["exchange"] * len(ts),
    }
    return pl.DataFrame(frame, schema=SCHEMA)


def grid(bar: Bar, count: int, start: int = 0) -> list[int]:
    """`count` open times of `bar` from its first one at or after `start`."""
    return [bar.ceil(start) + i * bar.length for i in range(count)]


class MemorySource:
    """A Source over a frame in memory that records the spans requested from it.

    `hidden` bars are left out of the first response. With `says_oldest` False no batch is marked `oldest`. After
    `fail_after` batches it raises ConnectionResetError.
    """

    stored = True

    def __init__(
        self,
        frame: pl.DataFrame,
        *,
        page: int = 7,
        venue: str = "memory",
        hidden: Iterable[int] = (),
        says_oldest: bool = True,
        fail_after: int | None = None,
    ) -> None:
        self.frame = frame
        self.page = page
        self.venue = venue
        self.hidden = set(hidden)
        self.says_oldest = says_oldest
        self.fail_after = fail_after
        self.asked: list[Span] = []

    async def now(self) -> int:
        return int(self.frame["ts"][-1])

    async def fetch(self, series: Series, span: Span) -> AsyncIterator[Batch]:
        self.asked.append(span)
        first = self.frame["ts"].min()
        stop, sent = span.stop, 0
        while stop > span.start:
            if self.fail_after is not None and sent == self.fail_after:
                raise ConnectionResetError
            start = max(span.start, stop - self.page * series.bar.length)
            oldest = self.says_oldest and first is not None and start <= int(first)
            yield Batch(Span(start, stop), self._inside(Span(start, stop)), oldest=oldest)
            if oldest:
                return
            stop, sent = start, sent + 1

    def _inside(self, span: Span) -> pl.DataFrame:
        inside = self.frame.filter((pl.col("ts") >= span.start) & (pl.col("ts") < span.stop))
        late = self.hidden & set(inside["ts"])
        self.hidden -= late
        return inside.filter(~pl.col("ts").is_in(list(late)))

    def cost(self, series: Series, span: Span, now: int) -> Cost:
        pages = -(-span.bars(series.bar) // self.page)
        return Cost(pages, pages / 10)

    async def close(self) -> None:
        pass
