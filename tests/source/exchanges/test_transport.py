"""What a bad network does to a command: it goes on, or ends in one clear line."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from kronosforge.config import SourceConfig
from kronosforge.core.bars import Span, instant, series
from kronosforge.core.errors import SourceError
from kronosforge.sandbox import Clock, Sandbox, Synthetic
from kronosforge.sandbox.faults import parse
from kronosforge.source import open_source
from kronosforge.source.exchanges.transport import LONGEST_PAUSE, pause
from tests.source.exchanges.clockwork import run
from tests.source.files.asked import ask, fetch

NOW = instant("2026-01-01T00:30:30Z")
SERIES = series("BTC-USDT-SWAP_4H")
SPAN = Span(SERIES.bar.floor(NOW) - 30 * SERIES.bar.length, SERIES.bar.floor(NOW))


def sandbox(faults: str = "") -> Sandbox:
    return Sandbox(Synthetic(seed=3), Clock(NOW), faults=parse(faults), rate_limits=False)


def message(job: Callable[[], object]) -> str:
    with pytest.raises(SourceError) as caught:
        job()
    return str(caught.value)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["429", "5xx", "reset", "truncate", "html"])
def test_it_gives_up_in_one_line_that_says_what_and_how_often_and_what_next(kind: str) -> None:
    text = message(lambda: fetch(sandbox(f"{kind}=1"), SERIES, SPAN, retries=2))
    assert "\n" not in text
    assert "after 3 attempts" in text
    assert all(word in text for word in ("the server time", "network", "source.proxy", "KRONOS_OKX_URL"))


@pytest.mark.usefixtures("quick")
def test_an_answer_that_takes_too_long_counts_as_none() -> None:
    assert "timed out after 0.2 s" in message(
        lambda: fetch(sandbox("slow=1,delay=5"), SERIES, SPAN, retries=1, timeout_s=0.2)
    )


@pytest.mark.usefixtures("quick")
def test_nobody_there_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        source = open_source(SourceConfig(url=f"http://127.0.0.1:{taken.getsockname()[1]}", retries=1), {})

        async def live() -> None:
            try:
                await source.now()
            finally:
                await source.close()

        assert "after 2 attempts: connection refused" in message(lambda: asyncio.run(live()))


@pytest.mark.usefixtures("quick")
def test_the_proxy_is_used() -> None:
    assert "the proxy cannot be reached" in message(
        lambda: fetch(sandbox(), SERIES, SPAN, retries=0, proxy="http://127.0.0.1:9")
    )


def against(answer: Callable[[web.Request], web.Response], job: Callable[[Any], Any]) -> tuple[list[str], Any]:
    """The paths that `job` asks for at a server that answers so, and what the job finds."""
    asked: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append(request.path)
        return answer(request)

    async def live() -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        source = open_source(SourceConfig(url=f"http://127.0.0.1:{runner.addresses[0][1]}", retries=3), {})
        try:
            return await job(source)
        finally:
            await source.close()
            await runner.cleanup()

    return asked, asyncio.run(live())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [200, 400])
def test_a_final_refusal_is_not_asked_again(status: int) -> None:
    def refuse(_: web.Request) -> web.Response:
        return web.json_response({"code": "51000", "msg": "Parameter bar error", "data": []}, status=status)

    async def now(source: Any) -> str:
        with pytest.raises(SourceError) as caught:
            await source.now()
        return str(caught.value)

    asked, text = against(refuse, now)
    assert len(asked) == 1
    assert "51000 Parameter bar error" in text


@pytest.mark.usefixtures("quick")
def test_control_characters_of_an_answer_are_escaped() -> None:
    def refuse(_: web.Request) -> web.Response:
        return web.json_response({"code": "51000", "msg": "\x1b[2Jcleared\x07", "data": []}, status=400)

    async def now(source: Any) -> str:
        with pytest.raises(SourceError) as caught:
            await source.now()
        return str(caught.value)

    assert "HTTP 400: 51000 \\x1b[2Jcleared\\x07;" in against(refuse, now)[1]


@pytest.mark.usefixtures("quick")
def test_an_unknown_path_is_not_asked_again() -> None:
    def nothing(_: web.Request) -> web.Response:
        return web.json_response({"code": 404, "msg": "Not Found", "data": {}}, status=404)

    async def now(source: Any) -> None:
        with pytest.raises(SourceError, match="404 Not Found"):
            await source.now()

    assert len(against(nothing, now)[0]) == 1


@pytest.mark.usefixtures("quick")
def test_rows_that_are_no_candles_are_asked_for_again_and_then_refused() -> None:
    def odd(request: web.Request) -> web.Response:
        data: list[Any] = [["soon", "1", "2"]]
        if request.path.endswith("time"):
            data = [{"ts": str(NOW)}]
        if request.path.endswith("instruments"):
            data = [{"instId": SERIES.instrument, "instType": "SWAP"}]
        return web.json_response({"code": "0", "msg": "", "data": data})

    async def read(source: Any) -> None:
        with pytest.raises(SourceError, match="unexpected response format"):
            [batch async for batch in source.fetch(SERIES, SPAN)]

    asked, _ = against(odd, read)
    assert sum(path.endswith("candles") for path in asked) == 4


def test_pauses_grow_and_stay_bounded() -> None:
    async def waits() -> list[float]:
        loop, pauses = asyncio.get_running_loop(), []
        for attempt in range(12):
            start = loop.time()
            await pause(attempt)
            pauses.append(loop.time() - start)
        return pauses

    first, second, *rest = run(waits())
    assert (first, max(rest) <= LONGEST_PAUSE) == (0.0, True)
    assert 0.1 < second < 0.3
    assert min(rest[-3:]) >= LONGEST_PAUSE / 2


def test_what_went_wrong_is_in_the_debug_log(caplog: pytest.LogCaptureFixture, quick: None) -> None:
    with caplog.at_level(logging.DEBUG):
        fetch(sandbox("5xx=0.8,seed=1"), SERIES, SPAN, retries=30)
    assert any("attempt" in record.getMessage() for record in caplog.records if record.name == "kronosforge.source")


def test_the_clock_is_asked_once() -> None:
    exchange = sandbox()

    async def twice(source: Any) -> tuple[int, int]:
        return await source.now(), await source.now()

    first, second = ask(exchange, twice)
    assert NOW <= first <= second < NOW + 5_000
    assert [request.path for request in exchange.requests] == ["/api/v5/public/time"]
