"""Binance and Bybit: columns, spellings, codes. What they share with every source is in tests/contracts."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from kronosforge.config import SourceConfig
from kronosforge.core.bars import Series, Span, bar, instant
from kronosforge.core.errors import ConfigError
from kronosforge.source import open_source
from kronosforge.source.base import Batch
from kronosforge.source.exchanges import binance, bybit
from kronosforge.source.exchanges.binance import BinanceSource
from kronosforge.source.exchanges.bybit import BybitSource

H1 = bar("1H")
NOW = instant("2022-12-09T19:30Z")
START = instant("2022-12-09T16:00Z")

# Bybit's documentation, GET /v5/market/kline, BTCUSD: 268611 USD are 15.7 coins at 17,061.
INVERSE = [
    ["1670608800000", "17071", "17073", "17027", "17055.5", "268611", "15.74462667"],
    ["1670605200000", "17071.5", "17071.5", "17061", "17071", "4177", "0.24469757"],
    ["1670601600000", "17086.5", "17088", "16978", "17071.5", "6356", "0.37288112"],
]
# Binance's documentation, GET /api/v3/klines, with the times and prices of the bars above.
KLINES = [
    [1670601600000, "17086.5", "17088.0", "16978.0", "17071.5", "148.97", 1670605199999, "2543190.5", 308, "1", "1", "0"],
    [1670605200000, "17071.5", "17071.5", "17061.0", "17071.0", "10.25", 1670608799999, "174900.1", 21, "1", "1", "0"],
]  # fmt: skip

Answer = Callable[[web.Request], Any]


def fetch(name: str, instrument: str, answer: Answer) -> tuple[list[web.Request], list[Batch]]:
    """What was asked, and the batches of three hours at a server that answers so."""
    asked: list[web.Request] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append(request)
        return web.json_response(answer(request))

    async def live() -> list[Batch]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        source = open_source(SourceConfig(name=name, url=f"http://127.0.0.1:{runner.addresses[0][1]}"), {})
        try:
            return [batch async for batch in source.fetch(Series(instrument, H1), Span(START, START + 3 * H1.length))]
        finally:
            await source.close()
            await runner.cleanup()

    return asked, asyncio.run(live())


def bybit_with(category: str) -> Answer:
    def answer(request: web.Request) -> Any:
        envelope = {"retCode": 0, "retMsg": "OK", "retExtInfo": {}, "time": NOW}
        query = request.query
        if request.path.endswith("kline"):
            rows = [row for row in INVERSE if int(row[0]) <= int(query["end"])] if query["category"] == category else []
            return {**envelope, "result": {"category": category, "symbol": "BTCUSD", "list": rows}}
        listed = [{"symbol": query.get("symbol")}] if query.get("category") == category else []
        return {**envelope, "result": {"list": listed}}

    return answer


def binance_answer(request: web.Request) -> Any:
    if request.path.endswith("time"):
        return {"serverTime": NOW}
    return [row for row in KLINES if row[0] <= int(request.query["endTime"])]


def test_an_inverse_contract_of_bybit_counts_its_volume_in_dollars() -> None:
    _, batches = fetch("bybit", "BTCUSD.P", bybit_with("inverse"))
    newest = batches[0].candles[-1]
    assert (newest["vol"][0], newest["amt"][0]) == (15.74462667, 268611.0)
    assert 17027 <= newest["amt"][0] / newest["vol"][0] <= 17073


@pytest.mark.parametrize(("instrument", "category"), [("BTCUSDT", "spot"), ("BTCUSDT.P", "linear")])
def test_other_markets_of_bybit_count_coins(instrument: str, category: str) -> None:
    asked, batches = fetch("bybit", instrument, bybit_with(category))
    assert (batches[0].candles["vol"][-1], batches[0].candles["amt"][-1]) == (268611.0, 15.74462667)
    klines = [request.query for request in asked if request.path.endswith("kline")]
    assert {(query["category"], query["symbol"], query["interval"]) for query in klines} == {
        (category, "BTCUSDT", "60")
    }


@pytest.mark.parametrize(("instrument", "path"), [("BTCUSDT", "/api/v3/klines"), ("BTCUSDT.P", "/fapi/v1/klines")])
def test_binance_gives_quote_volume_from_the_market_that_the_name_says(instrument: str, path: str) -> None:
    asked, batches = fetch("binance", instrument, binance_answer)
    assert (batches[0].candles["vol"].to_list(), batches[0].candles["amt"].to_list()) == (
        [148.97, 10.25],
        [2543190.5, 174900.1],
    )
    klines = [request for request in asked if request.path.endswith("klines")]
    assert {(request.path, request.query["symbol"], request.query["interval"]) for request in klines} == {
        (path, "BTCUSDT", "1h")
    }


@pytest.mark.parametrize(
    ("code", "at_binance", "at_bybit"),
    [
        ("1m", "1m", "1"),
        ("15m", "15m", "15"),
        ("1H", "1h", "60"),
        ("4H", "4h", "240"),
        ("1D", "1d", "D"),
        ("1W", "1w", "W"),
    ],
)
def test_bars_are_spelled_as_each_venue_does(code: str, at_binance: str, at_bybit: str) -> None:
    assert (binance.binance_bar(bar(code)), bybit.bybit_bar(bar(code))) == (at_binance, at_bybit)


@pytest.mark.parametrize("venue", [BinanceSource, BybitSource])
def test_a_hong_kong_day_is_refused_where_there_is_none(venue: type[BinanceSource | BybitSource]) -> None:
    with pytest.raises(ConfigError, match="use BTCUSDT_1D"):
        asyncio.run(venue(SourceConfig()).pages(Series("BTCUSDT", bar("1D@UTC+8"))))


@pytest.mark.parametrize(
    ("status", "body", "again"),
    [
        (400, {"code": -1121, "msg": "Invalid symbol."}, False),
        (429, {"code": -1003, "msg": "Too many requests."}, True),
        (418, {"code": -1003, "msg": "Way too many requests; IP banned."}, False),
        (503, {}, True),
        (403, {}, False),
    ],
)
def test_what_binance_says_is_passing_or_final(status: int, body: dict[str, Any], again: bool) -> None:
    verdict = binance.judge(status, body)
    assert verdict
    assert verdict.again is again


@pytest.mark.parametrize(("code", "again"), [(10001, False), (10006, True), (10016, True), (33004, False)])
def test_what_bybit_says_is_passing_or_final(code: int, again: bool) -> None:
    verdict = bybit.judge(200, {"retCode": code, "retMsg": "words", "result": {}})
    assert verdict
    assert verdict.again is again


@pytest.mark.parametrize("name", ["kraken", "okx:there", "files", "files:", "OKX", "sandbox"])
def test_an_unknown_source_names_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match="okx, sandbox, binance, bybit, files:DIR"):
        open_source(SourceConfig(name=name), {})
