"""The exchange: OKX's v5 endpoints for candles, over a market and a clock.

Source: OKX's public v5 documentation of 2025-11-08 and recorded answers; where the two differ, the answers.
"""

import asyncio
import json
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from kronosforge.core.bars import Bar, Span
from kronosforge.sandbox import auth
from kronosforge.sandbox.auth import Credentials, RefusedError
from kronosforge.sandbox.faults import REJECTIONS, Faults, repeat
from kronosforge.sandbox.limits import Window
from kronosforge.sandbox.market import OKX_BARS, Market

Query = Mapping[str, str]
Data = list[Any]
Body = dict[str, Any]


class Clock:
    """The exchange's clock: fixed at `at` (ms), or real time where that is None."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 if self.at is None else self.at


@dataclass
class Served:
    """One request and its response."""

    path: str
    query: dict[str, str]
    status: int = 0
    code: str = ""
    rejected: bool = False  # over the request limit
    fault: str = ""
    at: float = field(default_factory=time.monotonic)


class Sandbox:
    """An exchange that answers like OKX v5. Attributes may be changed while it runs.

    market        the instruments and their candles
    clock         the exchange's clock
    faults        deliberate failures
    rate_limits   whether requests over OKX's limits are rejected
    page_limit    the maximum number of rows of a response; a larger `limit` is reduced to it
    reach         the number of newest bars that /market/candles serves
    credentials   the account that may sign requests
    requests      the newest 100,000 requests and their responses, oldest first
    """

    def __init__(
        self,
        market: Market,
        clock: Clock | None = None,
        *,
        faults: Faults | None = None,
        rate_limits: bool = True,
        credentials: Credentials | None = None,
        page_limit: int = 300,
        reach: int = 1440,
    ) -> None:
        self.market = market
        self.clock = clock or Clock()
        self.faults = faults or Faults()
        self.rate_limits = rate_limits
        self.credentials = credentials or Credentials()
        self.page_limit = page_limit
        self.reach = reach
        self.requests: deque[Served] = deque(maxlen=100_000)
        self._attempts: Counter[str] = Counter()
        self._window = Window()
        self._endpoints: dict[str, Callable[[web.Request], Data]] = {
            "/api/v5/market/candles": lambda request: self.candles(request.query, self.reach),
            "/api/v5/market/history-candles": lambda request: self.candles(request.query, None),
            "/api/v5/public/instruments": lambda request: self._instruments(request.query),
            "/api/v5/public/time": lambda _: [{"ts": str(self.now())}],
            "/api/v5/account/config": self._account,
            "/api/v5/system/status": lambda _: [],
        }

    def app(self) -> web.Application:
        """The aiohttp application, to be served by one event loop."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    def now(self) -> int:
        """The time of /public/time, ms."""
        return self.clock() + round(self.faults.skew * 1000)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        served = Served(request.path, dict(request.query))
        self.requests.append(served)
        if self.rate_limits and not self._window.admits(request.path, _shared_by(request), time.monotonic()):
            served.rejected = True
            return _respond(served, 429, {"msg": "Too Many Requests", "code": "50011"})
        faults = self._draw(request.raw_path)
        if "slow" in faults:
            served.fault = "slow"
            await asyncio.sleep(self.faults.delay)
        for kind in ("429", "5xx", "reset", "html"):
            if kind in faults:
                served.fault = kind
                return _fail(request, served, kind, faults[kind])
        status, body = self._answer(request)
        _change_rows(body, faults, served)
        if "truncate" in faults:
            served.fault = "truncate"
            return await _truncate(request, served, (status, body), faults["truncate"])
        return _respond(served, status, body)

    def _draw(self, request: str) -> dict[str, float]:
        if not self.faults.chances:
            return {}
        self._attempts[request] += 1
        return self.faults.draw(request, self._attempts[request] - 1)

    def _answer(self, request: web.Request) -> tuple[int, Body]:
        endpoint = self._endpoints.get(request.path)
        if endpoint is None or request.method != "GET":
            return 404, {"msg": "Not Found", "code": 404, "data": {}}
        try:
            return 200, {"code": "0", "msg": "", "data": endpoint(request)}
        except RefusedError as refused:
            body: Body = {"code": refused.code, "msg": refused.message}
            # recorded: answers of status 401 have no data key
            return refused.status, body if refused.status == 401 else {**body, "data": []}

    def candles(self, query: Query, reach: int | None) -> Data:
        """The rows of a request for candles, of the newest `reach` bars or all. Raises RefusedError."""
        name, size = self._listed(_needed(query, "instId")), _bar(query.get("bar") or "1m")
        limit = min(_whole(query, "limit", 100), self.page_limit)
        if limit < 1:
            raise _wrong("limit")
        now = self.clock()
        oldest = size.floor(now) - (reach - 1) * size.length if reach is not None else 0
        span = Span(max(_whole(query, "before", -1) + 1, oldest), min(_whole(query, "after", now + 1), now + 1))
        return self.market.rows(name, size, span, limit, now) if span else []

    def _listed(self, name: str) -> str:
        if name not in self.market.instruments:
            raise RefusedError(200, "51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return name

    def _instruments(self, query: Query) -> Data:
        kind = _needed(query, "instType")
        if kind not in ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"):
            raise _wrong("instType")
        instruments = [i for i in self.market.instruments.values() if i.kind == kind]
        if name := query.get("instId"):
            instruments = [i for i in instruments if i.id == self._listed(name)]
        if family := query.get("instFamily") or query.get("uly"):
            instruments = [i for i in instruments if i.underlying == family]
        return [i.row() for i in instruments]

    def _account(self, request: web.Request) -> Data:
        auth.check(request.headers, request.method, request.raw_path, self.now(), self.credentials)
        return [{"uid": "1", "mainUid": "1", "acctLv": "2", "posMode": "net_mode", "perm": "read_only", "ip": ""}]


def _respond(served: Served, status: int, body: Body) -> web.Response:
    served.status, served.code = status, str(body["code"])
    return web.Response(status=status, text=json.dumps(body), content_type="application/json")


def _fail(request: web.Request, served: Served, kind: str, form: float) -> web.Response:
    """The response of a fault that replaces the real one."""
    if kind == "reset":
        _reset(request)
        return web.Response()
    if kind == "html":
        served.status = 200 if form < 0.5 else 502
        page = "<!DOCTYPE html><html><head><title>Just a moment…</title></head><body></body></html>"
        return web.Response(status=served.status, text=page, content_type="text/html")
    forms = REJECTIONS[kind]
    status, code, message, data = forms[int(form * len(forms))]
    return _respond(served, status, {"msg": message, "code": code} | ({"data": []} if data else {}))


def _change_rows(body: Body, faults: Mapping[str, float], served: Served) -> None:
    """Remove or repeat rows of candles."""
    if not (served.path.endswith("candles") and body.get("data")):
        return
    if "missing" in faults:
        body["data"] = []
        served.fault = "missing"
    elif "duplicate" in faults:
        body["data"] = repeat(body["data"], faults["duplicate"])
        served.fault = "duplicate"


async def _truncate(request: web.Request, served: Served, answer: tuple[int, Body], form: float) -> web.StreamResponse:
    """Half the body, either as a complete response or with a closed connection."""
    whole = _respond(served, *answer)
    text = json.dumps(answer[1]).encode()
    half = text[: len(text) // 2]
    if form < 0.5:
        whole.body = half
        return whole
    lost = web.StreamResponse(status=whole.status, headers={"Content-Type": "application/json"})
    lost.content_length = len(text)
    await lost.prepare(request)
    await lost.write(half)
    if request.transport:
        request.transport.close()
    return lost


def _reset(request: web.Request) -> None:
    """Close with RST: unsent data is dropped, and the client sees `connection reset`."""
    if request.transport:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()


def _shared_by(request: web.Request) -> str:
    """The limit against which a request counts: that of its endpoint, for instruments also of the type (IP + instType)."""
    return request.path + request.query.get("instType", "")


def _needed(query: Query, name: str) -> str:
    if not (value := query.get(name)):
        raise RefusedError(400, "50014", f"Parameter {name} can not be empty.")
    return value


def _whole(query: Query, name: str, default: int) -> int:
    value = query.get(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit()) or len(value) > 20:
        raise _wrong(name)
    return int(value)


def _bar(code: str) -> Bar:
    if code not in OKX_BARS:
        raise _wrong("bar")
    return OKX_BARS[code]


def _wrong(name: str) -> RefusedError:
    return RefusedError(400, "51000", f"Parameter {name} error")
