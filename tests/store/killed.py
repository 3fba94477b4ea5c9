"""Run as a program: `killed.py ROOT STEP …` downloads into each ROOT/STEP, and is killed at that step."""

import asyncio
import sys
from pathlib import Path

from kronosforge.core.bars import Series, Span, bar
from kronosforge.store import Store, store
from tests.dying import each_step
from tests.fakes import MemorySource, candles, grid

FOUR_HOURS = bar("4H")
SERIES = Series("BTC-USDT-SWAP", FOUR_HOURS)
WANTED = Span(0, 100 * FOUR_HOURS.length)
HOLES = (31, 50, 51)


def venue(*, forgets: bool = False) -> MemorySource:
    """80 bars from the tenth on, with gaps; one that `forgets` sends a bar only when asked again."""
    times = grid(FOUR_HOURS, 90)[10:]
    times_held = [t for i, t in enumerate(times, 10) if i not in HOLES]
    return MemorySource(candles(times_held), hidden=times[60:61] if forgets else [])


def download(root: Path, source: MemorySource) -> None:
    """One update with a write every few bars, so that there is much to be killed in."""
    flush, store.FLUSH_ROWS = store.FLUSH_ROWS, 40
    try:
        asyncio.run(Store(root).update(source, SERIES, WANTED))
    finally:
        store.FLUSH_ROWS = flush


if __name__ == "__main__":
    # Forked before polars starts its threads: one import for all is what keeps this quick.
    each_step(lambda step: download(Path(sys.argv[1]) / str(step), venue(forgets=True)), map(int, sys.argv[2:]))
