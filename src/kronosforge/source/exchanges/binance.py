"""Binance: klines of spot (`BTCUSDT`) and of USD-margined futures (`BTCUSDT.P`, the spelling of chart services).

Not run against the live exchange: written from its public documentation of 2025 (spot REST API; USDⓈ-M futures REST API)
and tested against answers of the shapes recorded there. COIN-margined futures are not covered.
"""

from typing import Any

from kronosforge.config import SourceConfig
from kronosforge.core.bars import Bar, Series, Span
from kronosforge.core.i18n import _
from kronosforge.source.base import Cost
from kronosforge.source.exchanges.exchange import ExchangeSource, pages_of, place, refuse_hong_kong, unknown
from kronosforge.source.exchanges.pages import Candle, Page, Pages, as_page
from kronosforge.source.exchanges.rate import RateLimit
from kronosforge.source.exchanges.transport import Endpoint, RefusedError, Transport, Verdict

HOME = "https://api.binance.com"
PERPETUAL = ".P"
LIMIT = 1000  # rows of a page; futures would give 1500 at twice the weight
SETTLES = 2_000  # ms from its close until a bar counts as final: there is no confirm flag

# Temporary: disconnected, too many requests, timeout, overloaded. An address that keeps asking is banned (HTTP 418).
PASSING = frozenset({"-1000", "-1001", "-1003", "-1007", "-1008"})
UNKNOWN_INSTRUMENT = "-1121"
BANNED = 418


def judge(status: int, body: dict[str, Any] | list[Any]) -> Verdict | None:
    """Binance answers data, or {code, msg} with a negative code."""
    code = str(body.get("code", "")) if isinstance(body, dict) else ""
    if not code and status == 200:
        return None
    message = str(body.get("msg", "")) if isinstance(body, dict) else ""
    passing = code in PASSING or (not code and (status == 429 or status >= 500))
    return Verdict(code, f"{code or f'HTTP {status}'} {message}".strip(), again=passing and status != BANNED)


class BinanceSource(ExchangeSource):
    """Candles of Binance's spot and USD-margined futures markets."""

    def __init__(self, config: SourceConfig, venue: str | None = None) -> None:
        default, address = place("binance", HOME, config.url)
        urls = {} if address == HOME else {"public": f"{address}/api/v3", "fapiPublic": f"{address}/fapi/v1"}
        venue = venue or default
        super().__init__(venue, Transport(venue, "binance", config, judge, {"urls": {"api": urls}}))
        # 6,000 weight a minute at 2 a page, and 2,400 a minute at 5 a page; a little is left for other programs
        self.spot = Endpoint("publicGetKlines", RateLimit(40, 1.0))
        self.futures = Endpoint("fapiPublicGetKlines", RateLimit(7, 1.0))
        self._spot_time = Endpoint("publicGetTime", RateLimit(10, 1.0))

    async def clock(self) -> int:
        """See `ExchangeSource`."""
        what = _("the server time")
        return await self.transport.get(self._spot_time, {}, what, lambda answer: int(answer["serverTime"]))

    async def pages(self, series: Series) -> Pages:
        """See `ExchangeSource`; an unknown instrument shows at the first page."""
        refuse_hong_kong(self.venue, series)
        return BinancePages(self, series)

    def cost(self, series: Series, span: Span, now: int) -> Cost:
        """See `Source`."""
        wanted = Span(span.start, min(span.stop, series.bar.floor(now)))
        pages = pages_of(wanted.bars(series.bar), LIMIT)
        return Cost(pages, pages / self.endpoint(series).limit.rate)

    def endpoint(self, series: Series) -> Endpoint:
        """The endpoint of the instrument's market."""
        return self.futures if series.instrument.endswith(PERPETUAL) else self.spot


class BinancePages:
    """One series of Binance."""

    limit = LIMIT

    def __init__(self, source: BinanceSource, series: Series) -> None:
        self.series = series
        self.tries = source.transport.tries
        self._source = source

    async def page(self, newest: int) -> Page:
        """See `Pages`. Given an end alone, Binance answers the newest rows up to it, oldest first."""
        ask = {
            "symbol": self.series.instrument.removesuffix(PERPETUAL),
            "interval": binance_bar(self.series.bar),
            "endTime": newest,  # inclusive
            "limit": LIMIT,
        }
        what = _("candles of {series}", series=self.series)
        settled = await self._source.now() - SETTLES

        def read(answer: Any) -> Page:
            return as_page((self._candle(row, settled) for row in answer), self.series, newest)

        try:
            return await self._source.transport.get(self._source.endpoint(self.series), ask, what, read)
        except RefusedError as refused:
            if refused.code != UNKNOWN_INSTRUMENT:
                raise
            raise unknown(self._source.venue, self.series.instrument) from None

    def _candle(self, row: list[Any], settled: int) -> Candle:
        """Columns: open time, o, h, l, c, volume (coins), close time, quote volume, trades, two taker volumes, unused."""
        ts = int(row[0])
        prices = (float(row[1]), float(row[2]), float(row[3]), float(row[4]))
        return Candle(ts, *prices, float(row[5]), float(row[7]), ts + self.series.bar.length <= settled)


def binance_bar(bar: Bar) -> str:
    """Binance's spelling; its days are UTC days, its weeks begin on Monday."""
    return bar.code if bar.code.endswith("m") else bar.code.lower()
