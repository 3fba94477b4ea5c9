"""One made-up market, as each venue would tell it over HTTP, and as a folder of files."""

import csv
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import polars as pl
from aiohttp import web

from kronosforge.config import SourceConfig
from kronosforge.core.bars import Series, Span, bar, instant
from kronosforge.core.candles import SCHEMA
from kronosforge.sandbox import Clock, Sandbox, Synthetic, serve
from kronosforge.source import Source, open_source

NAME = "BTC-USDT"
BAR = bar("4H")
NOW = instant("2026-01-01T02:30:30Z")
STOP = BAR.floor(NOW)  # the bar that opens here is forming
LISTED = STOP - 400 * BAR.length
GAP = Span(STOP - 200 * BAR.length, STOP - 190 * BAR.length)
PAGE = 60  # rows of an answer, fewer than any venue allows: the walk meets many page ends

MARKET = Synthetic(seed=5, listing={NAME: LISTED}, gaps={NAME: [GAP]})


class World(NamedTuple):
    """A source, and what it calls the market's series and another one that it has not."""

    source: Source
    series: Series
    unknown: Series


def rows(span: Span) -> list[list[str]]:
    """OKX's nine columns, newest first, the forming bar included."""
    return MARKET.rows(NAME, BAR, span, 10_000, NOW)


def truth(span: Span) -> pl.DataFrame:
    """The finished candles of the market inside `span`."""
    inside = [row for row in reversed(rows(span)) if row[8] == "1"]
    values = [(int(r[0]), *map(float, r[1:6]), float(r[7]), "exchange") for r in inside]
    return pl.DataFrame(values, schema=SCHEMA, orient="row")


@asynccontextmanager
async def closing(source: Source, instrument: str) -> AsyncIterator[World]:
    try:
        yield World(source, Series(instrument, BAR), Series(instrument.replace("BTC", "NOSUCH"), BAR))
    finally:
        await source.close()


@asynccontextmanager
async def okx(_: Path) -> AsyncIterator[World]:
    sandbox = Sandbox(MARKET, Clock(NOW), rate_limits=False, page_limit=PAGE)
    async with (
        serve(sandbox) as server,
        closing(open_source(SourceConfig(url=server.url), {}, venue="sandbox"), NAME) as world,
    ):
        yield world


@asynccontextmanager
async def files(folder: Path) -> AsyncIterator[World]:
    with (folder / f"{NAME}_4H.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ts", "open", "high", "low", "close", "vol", "volCcy", "volCcyQuote", "confirm"])
        writer.writerows(reversed(rows(Span(0, NOW))))
    async with closing(open_source(SourceConfig(name=f"files:{folder}"), {}), NAME) as world:
        yield world


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """The address at which `app` answers."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def binance_klines(request: web.Request) -> web.Response:
    """Shape: https://developers.binance.com/docs/binance-spot-api-docs/rest-api, GET /api/v3/klines."""
    query = request.query
    if query["symbol"] != "BTCUSDT" or query["interval"] != "4h":
        return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
    newest = rows(Span(0, int(query["endTime"]) + 1))[: min(int(query["limit"]), PAGE)]
    answer = [
        [int(r[0]), r[1], r[2], r[3], r[4], r[5], int(r[0]) + BAR.length - 1, r[7], 308, "1756.87", "28.46", "0"]
        for r in reversed(newest)
    ]
    return web.json_response(answer)


@asynccontextmanager
async def binance(_: Path) -> AsyncIterator[World]:
    async def clock(_: web.Request) -> web.Response:
        return web.json_response({"serverTime": NOW})

    app = web.Application()
    # the contract's futures market tells the same candles as spot
    app.add_routes([web.get("/api/v3/klines", binance_klines), web.get("/fapi/v1/klines", binance_klines)])
    app.add_routes([web.get("/api/v3/time", clock)])
    async with (
        listening(app) as url,
        closing(open_source(SourceConfig(name="binance", url=url), {}), "BTCUSDT") as world,
    ):
        yield world


def bybit_answer(result: dict[str, object], code: int = 0, message: str = "OK") -> web.Response:
    """Bybit's envelope: https://bybit-exchange.github.io/docs/v5/guide."""
    body = {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": NOW}
    return web.json_response(body)


def bybit_app(symbol: str, category: str) -> web.Application:
    """Shape: https://bybit-exchange.github.io/docs/v5/market/kline. An inverse contract counts its volume in USD."""

    async def kline(request: web.Request) -> web.Response:
        query = request.query
        if (query["symbol"], query["category"], query["interval"]) != (symbol, category, "240"):
            return bybit_answer({}, 10001, "params error: Symbol Invalid")
        newest = rows(Span(0, int(query["end"]) + 1))[: min(int(query["limit"]), PAGE)]
        volumes = (7, 5) if category == "inverse" else (5, 7)
        listed = [[*r[:5], *(r[column] for column in volumes)] for r in newest]
        return bybit_answer({"symbol": symbol, "category": category, "list": listed})

    async def instruments(request: web.Request) -> web.Response:
        listed = request.query["symbol"] == symbol and request.query["category"] == category
        return bybit_answer({"category": category, "list": [{"symbol": symbol}] if listed else []})

    async def clock(_: web.Request) -> web.Response:
        return bybit_answer({"timeSecond": str(NOW // 1000), "timeNano": f"{NOW}000000"})

    app = web.Application()
    app.add_routes([web.get("/v5/market/kline", kline), web.get("/v5/market/time", clock)])
    app.add_routes([web.get("/v5/market/instruments-info", instruments)])
    return app


@asynccontextmanager
async def bybit(_: Path, symbol: str = "BTCUSDT", category: str = "spot") -> AsyncIterator[World]:
    instrument = symbol if category == "spot" else f"{symbol}.P"
    async with (
        listening(bybit_app(symbol, category)) as url,
        closing(open_source(SourceConfig(name="bybit", url=url), {}), instrument) as world,
    ):
        yield world


WORLDS: dict[str, Callable[[Path], AbstractAsyncContextManager[World]]] = {
    "okx": okx,
    "binance": binance,
    "bybit": bybit,
    "files": files,
}
