"""How fast a venue may be asked."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# Seconds. The venue's clock and ours do not tick alike, and a timer may fire a clock tick early.
MARGIN = 0.01


class RateLimit:
    """A bucket of `count` tokens for one endpoint, shared by every task that asks it.

    The venue sees at most `count` requests in any `window` seconds, however the network delays them: a token is used
    again `window` seconds after the latest instant at which the venue can have counted its last request. That is the
    answer's instant, less the time that even the quickest request needs there and back. (A bucket that refills at a
    constant rate lets up to twice `count` through in one window.)
    """

    def __init__(self, count: int, window: float) -> None:
        self.rate = count / window  # requests per second in the long run
        self._window = window + MARGIN
        self._travel = 0.0  # the quickest request so far, there and back
        self._answered: asyncio.PriorityQueue[float] = asyncio.PriorityQueue()  # when each token came back
        for _ in range(count):
            self._answered.put_nowait(float("-inf"))

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Wait for a token and hold it for the length of one request. First come, first served."""
        answered = await self._answered.get()
        try:
            await self._free(answered)
            sent = time.monotonic()
            try:
                yield
                took = time.monotonic() - sent
                self._travel = min(self._travel or took, took)
            finally:
                answered = time.monotonic()
        finally:
            self._answered.put_nowait(answered)

    async def _free(self, answered: float) -> None:
        """Until a token that came back at `answered` may be used. `_travel` may shrink while it waits."""
        while True:
            wait = answered - self._travel + self._window - time.monotonic()
            if wait <= 0:
                return
            await asyncio.sleep(wait)
