"""Run as a program: `killed.py ROOT COUNT` downloads into ROOT/0 … ROOT/COUNT-1, and kills itself (SIGKILL) in each.

The n-th download dies at its n-th step: a step is an fsync, a rename or a removal, just before or just after it.
Prints the exit status of each, -9 while steps were left.
"""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from fakes import MemorySource, candles, grid

from kronosforge.bars import Series, Span, bar
from kronosforge.store import Store, store

FOUR_HOURS = bar("4H")
SERIES = Series("BTC-USDT-SWAP", FOUR_HOURS)
WANTED = Span(0, 100 * FOUR_HOURS.length)
HOLES = (31, 50, 51)


def venue(*, forgets: bool = False) -> MemorySource:
    """80 bars from the tenth on, with holes; one that `forgets` sends a bar only when asked again."""
    times = grid(FOUR_HOURS, 90)[10:]
    there = [t for i, t in enumerate(times, 10) if i not in HOLES]
    return MemorySource(candles(there), hidden=times[60:61] if forgets else [])


def download(root: Path, source: MemorySource) -> None:
    """One update with a write every few bars, so that there is much to be killed in."""
    flush, store.FLUSH_ROWS = store.FLUSH_ROWS, 20
    asyncio.run(Store(root).update(source, SERIES, WANTED))
    store.FLUSH_ROWS = flush


def _die_at(step: int) -> None:
    steps = itertools.count()

    def dying(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*args, **kwargs)
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    os.fsync = dying(os.fsync)
    os.replace = dying(os.replace)
    os.unlink = dying(os.unlink)


def _main(root: Path, count: int) -> None:
    # Forked before polars starts its threads: importing once is what keeps this quick.
    for step in range(count):
        child = os.fork()
        if not child:
            _die_at(step)
            download(root / str(step), venue(forgets=True))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
