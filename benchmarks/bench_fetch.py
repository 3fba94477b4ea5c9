"""Downloading under OKX's request limits: bars a second, and bars that went missing, against ccxt's own paging loop.

    python benchmarks/bench_fetch.py                60,000 bars of 1m, ours and ccxt's fetch_ohlcv in a loop
    python benchmarks/bench_fetch.py --delay 0.15   the same with every answer late by 150 ms, as from far away

Both ask the sandbox, which runs in a process of its own, keeps OKX's documented limits (history: 20 requests in 2 s, 300
bars each) and rejects what is over. Ours also checks that every bar is finished and that every page joins the one before.
The share of the limit is 2 s over the mean time from one request to the twentieth after it.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import NamedTuple

import ccxt

from kronosforge.config import SourceConfig
from kronosforge.core.bars import MINUTE, Series, Span, bar, instant
from kronosforge.sandbox import running
from kronosforge.source import open_source

NOW = instant("2025-06-01T00:00:30Z")
SERIES = Series("BTC-USDT-SWAP", bar("1m"))
HISTORY = "/api/v5/market/history-candles"
COUNT, WINDOW = 20, 2.0  # OKX's limit for it
FASTER, USED = 1.0, 0.95  # at least the peer's speed, at least this share of the limit


class Traffic(NamedTuple):
    """What the sandbox saw."""

    rejected: int
    share: float


class Result(NamedTuple):
    """One download."""

    rows: int
    missing: int
    seconds: float
    traffic: Traffic


def serve(pipe: Connection, delay: float) -> None:
    """The sandbox's process: sends its address, waits for a word, sends what it saw."""
    with running(clock="2025-06-01T00:00:30Z", faults=f"slow=1,delay={delay}" if delay else "") as server:
        pipe.send(server.url)
        pipe.recv()
        passed = [request.at for request in server.requests if request.path == HISTORY and not request.rejected]
        mean = statistics.mean(later - at for at, later in zip(passed, passed[COUNT:], strict=False))
        pipe.send(Traffic(sum(request.rejected for request in server.requests), WINDOW / mean))


@contextmanager
def exchange(delay: float) -> Iterator[tuple[str, Connection]]:
    """A fresh sandbox's address, and the pipe to it."""
    parent_end, child_end = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(child_end, delay))
    process.start()
    try:
        yield parent_end.recv(), parent_end
    finally:
        process.join()


async def ours(url: str, span: Span) -> list[int]:
    """The open times that our source brings."""
    source = open_source(SourceConfig(url=url), {}, venue="sandbox")
    try:
        batches = [batch.candles["ts"].to_list() async for batch in source.fetch(SERIES, span)]
    finally:
        await source.close()
    return [ts for batch in batches for ts in batch]


def peer(url: str, span: Span) -> list[int]:
    """The open times that the usual loop brings: fetch_ohlcv from `since`, on from the last bar, ccxt's rate limiter on."""
    urls = {"api": {"rest": url}, "test": {"rest": url}}
    exchange = ccxt.okx({"urls": urls, "enableRateLimit": True})
    times: list[int] = []
    since = span.start
    while since < span.stop:
        page = exchange.fetch_ohlcv("BTC/USDT:USDT", "1m", since, 300)
        if not page:
            break
        times += [row[0] for row in page]
        since = page[-1][0] + 1
    return times


def measure(who: str, bars: int, delay: float) -> Result:
    """Download the newest `bars` finished bars."""
    stop = SERIES.bar.floor(NOW)
    span = Span(stop - bars * MINUTE, stop)
    with exchange(delay) as (url, pipe):
        start = time.perf_counter()
        times = asyncio.run(ours(url, span)) if who == "ours" else peer(url, span)
        seconds = time.perf_counter() - start
        pipe.send("done")
        traffic = pipe.recv()
    missing = set(range(span.start, span.stop, MINUTE)) - set(times)
    return Result(len(times), len(missing), seconds, traffic)


def claims(bars: int, ours: Result, peer: Result) -> Iterator[dict[str, object]]:
    """Each claim: `ok` says whether ours keeps to `limit`."""
    speed, their_speed = bars / ours.seconds, peer.rows / peer.seconds
    share, their_share = ours.traffic.share, peer.traffic.share
    yield {
        "name": "fetch: speed", "unit": "bars/s", "ours": round(speed), "peer": round(their_speed),
        "ratio": round(speed / their_speed, 2), "limit": FASTER, "ok": speed / their_speed >= FASTER,
    }  # fmt: skip
    yield {
        "name": "fetch: share of the rate limit used", "unit": "", "ours": round(share, 3), "peer": round(their_share, 3),
        "ratio": round(share / their_share, 2), "limit": USED, "ok": share >= USED,
    }  # fmt: skip
    rejected, their_rejected = ours.traffic.rejected, peer.traffic.rejected
    yield {
        "name": "fetch: requests rejected", "unit": "requests", "ours": rejected, "peer": their_rejected,
        "ratio": None, "limit": 0, "ok": not rejected,
    }  # fmt: skip
    yield {
        "name": "fetch: bars missing", "unit": "bars", "ours": ours.missing, "peer": peer.missing,
        "ratio": None, "limit": 0, "ok": not ours.missing,
    }  # fmt: skip


def main() -> None:
    """Run both, print the claims, exit 1 where one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=int, default=60_000)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds by which each answer is late")
    parser.add_argument("--json", action="store_true", help="a JSON object per claim and line")
    given = parser.parse_args()
    results = [measure(who, given.bars, given.delay) for who in ("ours", "peer")]
    checked = list(claims(given.bars, *results))
    for claim in checked:
        line = "{name}: {ours:,} {unit}, peer {peer:,}, ratio {ratio} (limit {limit}) {ok}".format(**claim)
        print(json.dumps(claim, ensure_ascii=False) if given.json else line, flush=True)
    raise SystemExit(not all(claim["ok"] for claim in checked))


if __name__ == "__main__":
    main()
