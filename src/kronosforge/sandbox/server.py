"""Run a sandbox in the background or until a signal stops it. It listens on this machine only."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from kronosforge.core.bars import instant
from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _
from kronosforge.sandbox.exchange import Clock, Sandbox, Served
from kronosforge.sandbox.faults import parse
from kronosforge.sandbox.market import HORIZON, Market, Synthetic
from kronosforge.sandbox.replay import Replay

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Server:
    """A running sandbox: its address and its exchange."""

    url: str
    sandbox: Sandbox

    @property
    def requests(self) -> list[Served]:
        """The served requests, oldest first."""
        return list(self.sandbox.requests)


def build(
    *,
    replay: Path | None = None,
    seed: int = 0,
    clock: str | None = None,
    faults: str = "",
    rate_limits: bool = True,
    edge: float | None = None,
) -> Sandbox:
    """The sandbox that the command line describes.

    Without `clock` (ISO 8601) the clock of a replay is fixed at the close of its newest row, and a synthetic market runs in
    real time.
    Raises UsageError or ConfigError for invalid arguments, SourceError for a file that cannot be replayed.
    """
    at = instant(clock) if clock else None
    if at is not None and not 0 <= at < HORIZON:
        raise UsageError(_("--clock {clock}: must be between 1970 and 2099", clock=clock))
    if edge is not None and not 0 <= edge < 1:
        raise UsageError(_("--edge {edge}: must be at least 0 and below 1", edge=edge))
    market: Market = Synthetic(seed, edge=edge)
    if replay is not None:
        market = recorded = Replay(replay)
        at = recorded.newest_close if at is None else at
    return Sandbox(market, Clock(at), faults=parse(faults), rate_limits=rate_limits)


@asynccontextmanager
async def serve(sandbox: Sandbox, port: int = 0) -> AsyncIterator[Server]:
    """Serve the sandbox on the running event loop. Raises UsageError if it cannot listen on `port`."""
    runner = web.AppRunner(sandbox.app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await _listen(runner, port)
        yield Server(f"http://{HOST}:{runner.addresses[0][1]}", sandbox)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, port: int) -> None:
    try:
        await web.TCPSite(runner, HOST, port).start()
    except (OSError, OverflowError) as error:
        raise UsageError(
            _(
                "The sandbox cannot listen on port {port}: {error}; choose another port, or 0 for any free port",
                port=port,
                error=error,
            )
        ) from None


@contextmanager
def serving(sandbox: Sandbox, port: int = 0) -> Iterator[Server]:
    """Serve the sandbox from a thread until the block ends."""
    started: Future[tuple[Server, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve_until_stopped() -> None:
        stop = asyncio.Event()
        async with serve(sandbox, port) as server:
            started.set_result((server, asyncio.get_running_loop(), stop))
            await stop.wait()

    with ThreadPoolExecutor(1, thread_name_prefix="sandbox") as pool:
        ended = pool.submit(lambda: asyncio.run(serve_until_stopped()))
        either: list[Future[Any]] = [started, ended]
        wait(either, return_when=FIRST_COMPLETED)
        if not started.done():
            ended.result()  # raises the error that prevented the start
        server, loop, stop = started.result()
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(stop.set)
        ended.result()


@contextmanager
def running(
    *,
    replay: Path | None = None,
    seed: int = 0,
    clock: str | None = None,
    faults: str = "",
    port: int = 0,
    rate_limits: bool = True,
    edge: float | None = None,
) -> Iterator[Server]:
    """Build a sandbox and serve it until the block ends."""
    sandbox = build(replay=replay, seed=seed, clock=clock, faults=faults, rate_limits=rate_limits, edge=edge)
    with serving(sandbox, port) as server:
        yield server


async def serve_forever(sandbox: Sandbox, port: int = 0) -> None:
    """Print the address, then serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(sandbox, port) as server:
        print(server.url, flush=True)  # scripts read this line
        await stop.wait()


def main(*, port: int, replay: Path | None, seed: int, clock: str | None, faults: str, edge: float | None) -> None:
    """`kronosforge sandbox`: print the url and serve until SIGINT or SIGTERM."""
    sandbox = build(replay=replay, seed=seed, clock=clock, faults=faults, edge=edge)
    asyncio.run(serve_forever(sandbox, port))
