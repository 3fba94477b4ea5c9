"""OKX v5: public candles through ccxt's raw endpoints, without keys.

Sources: OKX's public v5 documentation of 2025-11-08 for paths, columns, bars, limits and codes; recorded answers for
what it leaves open: a page over the maximum is cut, /market/candles beyond its reach is empty, and `after` is exclusive.
"""

from collections.abc import Mapping
from typing import Any

from kronosforge.config import SourceConfig
from kronosforge.core.bars import HONG_KONG, HOUR, Bar, Series, Span
from kronosforge.core.errors import SourceError
from kronosforge.core.i18n import _
from kronosforge.source.base import Cost
from kronosforge.source.exchanges.exchange import ExchangeSource, pages_of, place, unknown
from kronosforge.source.exchanges.pages import Candle, Page, Pages, as_page
from kronosforge.source.exchanges.rate import RateLimit
from kronosforge.source.exchanges.transport import Endpoint, RefusedError, Transport, Verdict

HOME = "https://www.okx.com"
LIMIT = 300  # rows of a page, for recent and old candles alike since June 2025
REACH = 1440 - 40  # bars that /market/candles serves; the clock advances during requests

# Temporary: unavailable, endpoint timeout, rate limit, systems busy, system error. All others are final.
PASSING = frozenset({"50001", "50004", "50011", "50013", "50026"})
UNKNOWN_INSTRUMENT = "51001"


def judge(status: int, body: dict[str, Any] | list[Any]) -> Verdict | None:
    """OKX's envelope {code, msg, data}: the code decides, never the HTTP status."""
    code = str(body.get("code", "")) if isinstance(body, dict) else ""
    if isinstance(body, dict) and code == "0" and isinstance(body.get("data"), list):
        return None
    if code in ("", "0"):
        return Verdict("", _("HTTP {status} without code and data", status=status), again=True)
    message = str(body.get("msg", "")) if isinstance(body, dict) else ""
    return Verdict(code, f"{code} {message}".strip(), again=code in PASSING)


def connect(venue: str, address: str, config: SourceConfig, options: Mapping[str, Any] | None = None) -> Transport:
    """A transport to OKX at `address`; ccxt's demo switch would otherwise lead to another host."""
    urls = {"api": {"rest": address}, "test": {"rest": address}}
    return Transport(venue, "okx", config, judge, {**(options or {}), "urls": urls})


class OkxSource(ExchangeSource):
    """Candles of OKX: linear and inverse swaps, futures, spot."""

    def __init__(self, config: SourceConfig, venue: str | None = None) -> None:
        default, address = place("okx", HOME, config.url)
        venue = venue or default
        super().__init__(venue, connect(venue, address, config))
        # requests per seconds, per IP
        self.recent = Endpoint("publicGetMarketCandles", RateLimit(40, 2.0))
        self.history = Endpoint("publicGetMarketHistoryCandles", RateLimit(20, 2.0))
        self._time = Endpoint("publicGetPublicTime", RateLimit(10, 2.0))
        self._instruments = Endpoint("publicGetPublicInstruments", RateLimit(20, 2.0))
        self._coin_columns: dict[str, int] = {}

    async def clock(self) -> int:
        """See `ExchangeSource`."""
        what = _("the server time")
        return await self.transport.get(self._time, {}, what, lambda answer: int(answer["data"][0]["ts"]))

    async def pages(self, series: Series) -> Pages:
        """See `ExchangeSource`."""
        return OkxPages(self, series, await self._coin_column(series.instrument))

    def cost(self, series: Series, span: Span, now: int) -> Cost:
        """See `Source`."""
        bar = series.bar
        wanted = Span(span.start, min(span.stop, bar.floor(now)))
        recent = wanted.bars(bar) - Span(wanted.start, min(wanted.stop, _reached(bar, now))).bars(bar)
        quick, slow = pages_of(recent, LIMIT), pages_of(wanted.bars(bar) - recent, LIMIT)
        return Cost(quick + slow, quick / self.recent.limit.rate + slow / self.history.limit.rate)

    async def _coin_column(self, instrument: str) -> int:
        """The column of the volume in base coins: 5 for spot; 6 for swaps and futures, whose 5 counts contracts."""
        if instrument not in self._coin_columns:
            kind = await self._kind(instrument)
            self._coin_columns[instrument] = 5 if kind == "SPOT" else 6
        return self._coin_columns[instrument]

    async def _kind(self, instrument: str) -> str:
        """The instrument's instType as OKX lists it; its spelling only says where to look."""
        ask = {"instType": _spelled_kind(instrument), "instId": instrument}
        what = _("the instrument {instrument}", instrument=instrument)
        try:
            kind = await self.transport.get(self._instruments, ask, what, lambda answer: _listed(answer, instrument))
        except RefusedError as refused:
            raise _unknown_or(refused, self.venue, instrument) from None
        if not kind:
            raise unknown(self.venue, instrument)
        return kind


class OkxPages:
    """One series of OKX."""

    limit = LIMIT

    def __init__(self, source: OkxSource, series: Series, coin_column: int) -> None:
        self.series = series
        self.tries = source.transport.tries
        self._source = source
        self._coin_column = coin_column

    async def page(self, newest: int) -> Page:
        """The newest bars that open at or before `newest`, from the endpoint that serves them."""
        now = await self._source.now()
        if newest - LIMIT * self.series.bar.length >= _reached(self.series.bar, now):
            page = await self._from(self._source.recent, newest)
            if len(page) > 1:
                return page
        # where /market/candles ends it looks like the end of history, so only /history-candles may say that
        return await self._from(self._source.history, newest)

    async def _from(self, endpoint: Endpoint, newest: int) -> Page:
        ask = {
            "instId": self.series.instrument,
            "bar": okx_bar(self.series.bar),
            "after": str(newest + 1),  # exclusive
            "limit": str(LIMIT),
        }
        what = _("candles of {series}", series=self.series)
        now = await self._source.now()

        def read(answer: Any) -> Page:
            return as_page((self._candle(row, now) for row in answer["data"]), self.series, newest)

        try:
            return await self._source.transport.get(endpoint, ask, what, read)
        except RefusedError as refused:
            raise _unknown_or(refused, self._source.venue, self.series.instrument) from None

    def _candle(self, row: list[str], now: int) -> Candle:
        """Columns: ts, o, h, l, c, vol (contracts; spot: coins), volCcy, volCcyQuote (turnover), confirm."""
        ts, confirm = int(row[0]), row[8]
        prices = (float(row[1]), float(row[2]), float(row[3]), float(row[4]))
        finished = confirm == "1" and ts + self.series.bar.length <= now
        return Candle(ts, *prices, float(row[self._coin_column]), float(row[7]), finished)


def okx_bar(bar: Bar) -> str:
    """OKX's spelling: its plain 6H, 12H, 1D and 1W open on UTC+8 days, `utc` behind them on UTC days."""
    if bar.hong_kong:
        return bar.code.removesuffix(HONG_KONG)
    return bar.code if (8 * HOUR) % bar.length == 0 else f"{bar.code}utc"


def _reached(bar: Bar, now: int) -> int:
    """The oldest bar that /market/candles is trusted to serve."""
    return bar.floor(now) - REACH * bar.length


def _spelled_kind(instrument: str) -> str:
    parts = instrument.split("-")
    if parts[-1] == "SWAP":
        return "SWAP"
    return {2: "SPOT", 3: "FUTURES", 5: "OPTION"}.get(len(parts), "SPOT")


def _listed(answer: Any, instrument: str) -> str:
    """The instType of `instrument`; "" where the answer lists none."""
    return next((str(row["instType"]) for row in answer["data"] if row["instId"] == instrument), "")


def _unknown_or(refused: RefusedError, venue: str, instrument: str) -> SourceError:
    """The error shown to the user for a refused request."""
    return unknown(venue, instrument) if refused.code == UNKNOWN_INSTRUMENT else refused
