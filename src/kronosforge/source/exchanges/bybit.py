"""Bybit v5: klines of spot (`BTCUSDT`), and of linear and inverse contracts (`BTCUSDT.P`, `BTCUSD.P`).

Not run against the live exchange: written from its public v5 documentation of 2025 and tested against answers of the
shapes recorded there.
"""

from typing import Any

from kronosforge.config import SourceConfig
from kronosforge.core.bars import DAY, MINUTE, WEEK, Bar, Series, Span
from kronosforge.core.i18n import _
from kronosforge.source.base import Cost
from kronosforge.source.exchanges.exchange import ExchangeSource, pages_of, place, refuse_hong_kong, unknown
from kronosforge.source.exchanges.pages import Candle, Page, Pages, as_page
from kronosforge.source.exchanges.rate import RateLimit
from kronosforge.source.exchanges.transport import Endpoint, RefusedError, Transport, Verdict

HOME = "https://api.bybit.com"
CONTRACT = ".P"
LIMIT = 1000  # rows of a page
SETTLES = 2_000  # ms from its close until a bar counts as final: there is no confirm flag

# Temporary: server timeout, too many visits, server error, IP rate limit, system busy.
PASSING = frozenset({"10000", "10006", "10016", "10018", "10429"})
WRONG_PARAMETER = "10001"  # an unknown symbol comes as this


def judge(status: int, body: dict[str, Any] | list[Any]) -> Verdict | None:
    """Bybit's envelope {retCode, retMsg, result, time}."""
    code = str(body.get("retCode", "")) if isinstance(body, dict) else ""
    if code == "0":
        return None
    message = str(body.get("retMsg", "")) if isinstance(body, dict) else ""
    return Verdict(code, f"{code or f'HTTP {status}'} {message}".strip(), again=not code or code in PASSING)


class BybitSource(ExchangeSource):
    """Candles of Bybit's spot, linear and inverse markets."""

    def __init__(self, config: SourceConfig, venue: str | None = None) -> None:
        default, address = place("bybit", HOME, config.url)
        urls = {} if address == HOME else {"public": address}
        venue = venue or default
        super().__init__(venue, Transport(venue, "bybit", config, judge, {"urls": {"api": urls}}))
        # 600 requests in 5 s, per IP and over all endpoints; half of it is left for other programs
        shared = RateLimit(60, 1.0)
        self.klines = Endpoint("publicGetV5MarketKline", shared)
        self._time = Endpoint("publicGetV5MarketTime", shared)
        self._instruments = Endpoint("publicGetV5MarketInstrumentsInfo", shared)
        self._categories: dict[str, str] = {}

    async def clock(self) -> int:
        """See `ExchangeSource`."""
        what = _("the server time")
        return await self.transport.get(self._time, {}, what, lambda answer: int(answer["time"]))

    async def pages(self, series: Series) -> Pages:
        """See `ExchangeSource`."""
        refuse_hong_kong(self.venue, series)
        if series.instrument not in self._categories:
            self._categories[series.instrument] = await self._category(series.instrument)
        return BybitPages(self, series, self._categories[series.instrument])

    def cost(self, series: Series, span: Span, now: int) -> Cost:
        """See `Source`."""
        wanted = Span(span.start, min(span.stop, series.bar.floor(now)))
        pages = pages_of(wanted.bars(series.bar), LIMIT)
        return Cost(pages, pages / self.klines.limit.rate)

    async def _category(self, instrument: str) -> str:
        """`spot`, or whichever of `linear` and `inverse` lists the contract. Raises NoDataError."""
        for category in ["linear", "inverse"] if instrument.endswith(CONTRACT) else ["spot"]:
            if await self._lists(category, instrument):
                return category
        raise unknown(self.venue, instrument)

    async def _lists(self, category: str, instrument: str) -> bool:
        symbol = instrument.removesuffix(CONTRACT)
        what = _("the instrument {instrument}", instrument=instrument)

        def read(answer: Any) -> bool:
            return any(row["symbol"] == symbol for row in answer["result"]["list"])

        try:
            return await self.transport.get(self._instruments, {"category": category, "symbol": symbol}, what, read)
        except RefusedError as refused:
            if refused.code != WRONG_PARAMETER:
                raise
            return False


class BybitPages:
    """One series of Bybit."""

    limit = LIMIT

    def __init__(self, source: BybitSource, series: Series, category: str) -> None:
        self.series = series
        self.tries = source.transport.tries
        self._source = source
        self._category = category
        # Inverse contracts are worth 1 USD: their volume counts USD, their turnover coins (268611 / 15.74 = 17061 USD
        # in the documentation's own example for BTCUSD).
        self._coins, self._money = (6, 5) if category == "inverse" else (5, 6)

    async def page(self, newest: int) -> Page:
        """See `Pages`. Given an end alone, Bybit answers the newest rows up to it, newest first."""
        ask = {
            "category": self._category,
            "symbol": self.series.instrument.removesuffix(CONTRACT),
            "interval": bybit_bar(self.series.bar),
            "end": newest,  # inclusive
            "limit": LIMIT,
        }
        what = _("candles of {series}", series=self.series)
        settled = await self._source.now() - SETTLES

        def read(answer: Any) -> Page:
            return as_page((self._candle(row, settled) for row in answer["result"]["list"]), self.series, newest)

        return await self._source.transport.get(self._source.klines, ask, what, read)

    def _candle(self, row: list[str], settled: int) -> Candle:
        """Columns: start, o, h, l, c, volume, turnover."""
        ts = int(row[0])
        prices = (float(row[1]), float(row[2]), float(row[3]), float(row[4]))
        coins, money = float(row[self._coins]), float(row[self._money])
        return Candle(ts, *prices, coins, money, ts + self.series.bar.length <= settled)


def bybit_bar(bar: Bar) -> str:
    """Bybit's spelling: minutes as a number, D and W; its days are UTC days, its weeks begin on Monday."""
    return {DAY: "D", WEEK: "W"}.get(bar.length, str(bar.length // MINUTE))
