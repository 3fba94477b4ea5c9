"""A store in a temporary folder, addressed by bar numbers: short to write, easy to compare."""

import asyncio
from pathlib import Path

import numpy as np
import polars as pl

from kronosforge.core.bars import Series, Span, bar
from kronosforge.store import Store, Updated
from tests.fakes import MemorySource

BAR = bar("4H")
SERIES = Series("BTC-USDT-SWAP", BAR)


def span(start: int, stop: int) -> Span:
    """Bars `start` to `stop` (exclusive), counted from the epoch."""
    return Span(start * BAR.length, stop * BAR.length)


def numbers(spans: list[Span]) -> list[tuple[int, int]]:
    """Spans in bar numbers."""
    return [(start // BAR.length, stop // BAR.length) for start, stop in spans]


class Bench:
    """One series of one store."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.folder = root / "memory" / SERIES.instrument / BAR.code

    def update(self, source: MemorySource, start: int, stop: int) -> Updated:
        return asyncio.run(self.store.update(source, SERIES, span(start, stop)))

    def read(self, start: int = 0, stop: int = 10_000) -> pl.DataFrame:
        return self.store.read("memory", SERIES, span(start, stop))

    def times(self, start: int = 0, stop: int = 10_000) -> list[int]:
        """Times of the candles read, which must equal those in the manifest."""
        times = self.read(start, stop)["ts"].to_numpy()
        assert np.array_equal(times, self.store.times("memory", SERIES, span(start, stop)))
        return (times // BAR.length).tolist()

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        return numbers(self.store.missing("memory", SERIES, span(start, stop)))

    def gaps(self) -> list[tuple[int, int]]:
        return numbers([gap for stock in self.store.inventory() for gap in stock.gaps])

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))
