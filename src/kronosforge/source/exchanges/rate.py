"""Rate limits of a venue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

# Shares of the window left unused, against what cannot be measured from here: between two requests, and between an
# answer (less the way) and the next request.
SPARE, SPARE_AFTER_ANSWER = 0.02, 0.01

NEVER = float("-inf")


class Token(NamedTuple):
    """When its last request was answered and sent; seconds of the event loop."""

    answered: float = NEVER
    sent: float = NEVER


class RateLimit:
    """A bucket of `count` tokens for one endpoint, shared by every task that asks it.

    The venue counts at most `count` requests in any `window` seconds, even where the network delays some of them: a token
    is used again `window` seconds after the latest instant at which the venue can have counted its last request. That is
    the answer's instant, less the time that even the quickest request needs there and back. (A bucket that refills at a
    constant rate lets up to twice `count` through in one window.)
    """

    def __init__(self, count: int, window: float) -> None:
        self.rate = count / window  # requests per second in the long run
        self._window = window
        self._travel = 0.0  # the quickest request so far, there and back
        self._tokens: asyncio.PriorityQueue[Token] = asyncio.PriorityQueue()
        for _ in range(count):
            self._tokens.put_nowait(Token())

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Wait for a token and hold it for the length of one request. First come, first served."""
        token = await self._tokens.get()
        try:
            await self._rest(token)
            sent = asyncio.get_running_loop().time()
            try:
                yield
                took = asyncio.get_running_loop().time() - sent
                self._travel = min(self._travel or took, took)
            finally:
                token = Token(asyncio.get_running_loop().time(), sent)
        finally:
            self._tokens.put_nowait(token)

    async def _rest(self, token: Token) -> None:
        """Wait until `token` may be used; `_travel` may shrink meanwhile."""
        while True:
            after_answer = token.answered - self._travel + self._window * (1 + SPARE_AFTER_ANSWER)
            wait = max(after_answer, token.sent + self._window * (1 + SPARE)) - asyncio.get_running_loop().time()
            if wait <= 0:
                return
            await asyncio.sleep(wait)
