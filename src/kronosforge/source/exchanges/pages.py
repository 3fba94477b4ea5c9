"""Pages of candles: rows in one form, each time once, on the bar's grid."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from kronosforge.core.bars import Series, iso
from kronosforge.core.errors import SourceError
from kronosforge.core.i18n import _


class Candle(NamedTuple):
    """One row of a venue. Instants in ms; vol in base coins, amt in quote currency."""

    ts: int
    open: float
    high: float
    low: float
    close: float
    vol: float
    amt: float
    finished: bool  # confirmed by the venue and closed on its clock


Page = list[Candle]  # newest first, each time once


class Pages(Protocol):
    """The pages of one series at a venue."""

    series: Series
    limit: int  # bars that a page is expected to hold; fewer is no error
    tries: int

    async def page(self, newest: int) -> Page:
        """The newest bars that open at or before `newest`. Raises SourceError."""
        ...


def as_page(candles: Iterable[Candle], series: Series, newest: int) -> Page:
    """The candles that open at or before `newest` as a page.

    Of two copies of a bar the finished one stays. Raises ValueError where two finished copies differ, SourceError for a
    time off the bar's grid: the venue begins its days or weeks at other instants than this series.
    """
    page: dict[int, Candle] = {}
    for candle in candles:
        if series.bar.floor(candle.ts) != candle.ts:
            raise SourceError(
                _(
                    "{series}: the exchange returned a bar that opens at {ts}, which is not on the {code} grid; choose another bar",
                    series=series,
                    ts=iso(candle.ts),
                    code=series.bar.code,
                )
            )
        other = page.setdefault(candle.ts, candle)
        if other != candle and other.finished and candle.finished:
            raise ValueError(f"two different bars of {iso(candle.ts)}")
        if candle.finished:
            page[candle.ts] = candle
    return [page[ts] for ts in sorted(page, reverse=True) if ts <= newest]
