"""The limit holds as the venue counts it, and is used."""

import asyncio
import random
from bisect import bisect_right

import pytest

from kronosforge.source.exchanges.rate import RateLimit
from tests.source.exchanges.clockwork import run


async def flood(
    limit: RateLimit, requests: int, way: random.Random, outward: tuple[float, float], back: tuple[float, float]
) -> list[float]:
    """When the venue counts each of `requests` that all want to be first, with random travel times; seconds."""
    counted: list[float] = []

    async def ask() -> None:
        async with limit.request():
            await asyncio.sleep(way.uniform(*outward))
            counted.append(asyncio.get_running_loop().time())
            await asyncio.sleep(way.uniform(*back))

    await asyncio.gather(*(ask() for _ in range(requests)))
    return sorted(counted)


def most(counted: list[float], window: float) -> int:
    """The most that any window held."""
    return max(bisect_right(counted, at + window) - i for i, at in enumerate(counted))


@pytest.mark.parametrize("slowest", [0.0, 0.02, 0.3, 3.0])
def test_no_window_holds_more_than_the_venue_allows(slowest: float) -> None:
    # the way there is jittery: what is sent evenly arrives in bunches
    counted = run(flood(RateLimit(20, 2.0), 400, random.Random(1), (0.05, 0.05 + slowest), (0.05, 0.06)))
    assert most(counted, 2.0) <= 20


@pytest.mark.parametrize("latency", [0.01, 0.1, 0.4])
def test_a_long_download_uses_the_limit(latency: float) -> None:
    counted = run(
        flood(RateLimit(20, 2.0), 400, random.Random(1), (latency, latency * 1.05), (latency, latency * 1.05))
    )
    mean = (counted[-1] - counted[19]) / (len(counted) - 20)
    assert 0.95 <= (2.0 / 20) / mean <= 1.0


def test_the_first_requests_do_not_wait() -> None:
    assert run(flood(RateLimit(20, 2.0), 20, random.Random(1), (0.1, 0.1), (0.1, 0.1)))[-1] == pytest.approx(0.1)


def test_a_cancelled_wait_gives_its_token_back() -> None:
    async def cancelled() -> list[float]:
        limit = RateLimit(1, 2.0)
        await flood(limit, 1, random.Random(1), (0.0, 0.0), (0.0, 0.0))
        waiting = asyncio.create_task(flood(limit, 1, random.Random(1), (0.0, 0.0), (0.0, 0.0)))
        await asyncio.sleep(0.5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return await flood(limit, 1, random.Random(1), (0.0, 0.0), (0.0, 0.0))

    assert 2.0 <= run(cancelled())[0] < 2.1
