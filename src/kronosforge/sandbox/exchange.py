"""The exchange itself: OKX's v5 endpoints for candles over a market and a clock.

Source of every rule: OKX's public v5 documentation of 2025-11-08 and recorded answers; where the two differ, the answers.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from kronosforge.bars import Bar, Span
from kronosforge.sandbox import auth
from kronosforge.sandbox.auth import Credentials, RefusedError
from kronosforge.sandbox.limits import Window
from kronosforge.sandbox.market import OKX_BARS, Market

Query = Mapping[str, str]
Data = list[Any]


class Clock:
    """The exchange's clock: it stands at `at` (ms), or runs with real time where that is None."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 if self.at is None else self.at


@dataclass
class Served:
    """One request and what became of it."""

    path: str
    query: dict[str, str]
    status: int = 0
    code: str = ""
    rejected: bool = False  # over the request limit
    fault: str = ""
    at: float = field(default_factory=time.monotonic)


class Sandbox:
    """An exchange that answers like OKX v5. Attributes may be changed while it runs.

    market        what it trades
    clock         its time
    rate_limits   whether requests over OKX's limits are rejected
    page_limit    the most rows of an answer: more are not an error, they are cut
    reach         how many of the newest bars /market/candles knows
    credentials   the account that may sign
    requests      what was served, oldest first
    """

    def __init__(
        self,
        market: Market,
        clock: Clock | None = None,
        *,
        rate_limits: bool = True,
        credentials: Credentials | None = None,
        page_limit: int = 300,
        reach: int = 1440,
    ) -> None:
        self.market = market
        self.clock = clock or Clock()
        self.rate_limits = rate_limits
        self.credentials = credentials or Credentials()
        self.page_limit = page_limit
        self.reach = reach
        self.requests: list[Served] = []
        self._window = Window()
        self._endpoints: dict[str, Callable[[web.Request], Data]] = {
            "/api/v5/market/candles": lambda request: self._candles(request.query, self.reach),
            "/api/v5/market/history-candles": lambda request: self._candles(request.query, None),
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
        """What /public/time says, ms."""
        return self.clock()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        served = Served(request.path, dict(request.query))
        self.requests.append(served)
        served.status, body = self._answer(request, served)
        served.code = str(body["code"])
        return web.Response(status=served.status, text=json.dumps(body), content_type="application/json")

    def _answer(self, request: web.Request, served: Served) -> tuple[int, dict[str, Any]]:
        endpoint = self._endpoints.get(request.path)
        if endpoint is None or request.method != "GET":
            return 404, {"msg": "Not Found", "code": 404, "data": {}}
        if self.rate_limits and not self._window.admits(request.path, _shared_by(request), time.monotonic()):
            served.rejected = True
            return 429, {"msg": "Too Many Requests", "code": "50011"}
        try:
            return 200, {"code": "0", "msg": "", "data": endpoint(request)}
        except RefusedError as refused:
            body: dict[str, Any] = {"code": refused.code, "msg": refused.message}
            # recorded: answers of status 401 have no data key
            return refused.status, body if refused.status == 401 else {**body, "data": []}

    def _candles(self, query: Query, reach: int | None) -> Data:
        name, size = self._known(_needed(query, "instId")), _bar(query.get("bar") or "1m")
        limit = min(_whole(query, "limit", 100), self.page_limit)
        if limit < 1:
            raise _wrong("limit")
        now = self.clock()
        oldest = size.floor(now) - (reach - 1) * size.length if reach is not None else 0
        span = Span(max(_whole(query, "before", -1) + 1, oldest), min(_whole(query, "after", now + 1), now + 1))
        return self.market.rows(name, size, span, limit, now) if span else []

    def _known(self, name: str) -> str:
        if name not in self.market.instruments:
            raise RefusedError(200, "51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return name

    def _instruments(self, query: Query) -> Data:
        kind = _needed(query, "instType")
        if kind not in ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"):
            raise _wrong("instType")
        listed = [i for i in self.market.instruments.values() if i.kind == kind]
        if name := query.get("instId"):
            listed = [i for i in listed if i.id == self._known(name)]
        if family := query.get("instFamily") or query.get("uly"):
            listed = [i for i in listed if i.underlying == family]
        return [i.row() for i in listed]

    def _account(self, request: web.Request) -> Data:
        auth.check(request.headers, request.method, request.raw_path, self.now(), self.credentials)
        return [{"uid": "1", "mainUid": "1", "acctLv": "2", "posMode": "net_mode", "perm": "read_only", "ip": ""}]


def _shared_by(request: web.Request) -> str:
    """Whose limit a request counts against: its endpoint's, for instruments with the type (OKX: IP + instType)."""
    return request.path + request.query.get("instType", "")


def _needed(query: Query, name: str) -> str:
    if not (value := query.get(name)):
        raise RefusedError(400, "50014", f"Parameter {name} can not be empty.")
    return value


def _whole(query: Query, name: str, default: int) -> int:
    value = query.get(name)
    if not value:
        return default
    if not value.isascii() or not value.isdigit():
        raise _wrong(name)
    return int(value)


def _bar(code: str) -> Bar:
    if code not in OKX_BARS:
        raise _wrong("bar")
    return OKX_BARS[code]


def _wrong(name: str) -> RefusedError:
    return RefusedError(400, "51000", f"Parameter {name} error")
