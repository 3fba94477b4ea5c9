"""A seeded market: synthetic candles with random access to any span, the same for the same seed.

Every bar is a sum of minutes. Amounts are whole numbers of the instrument's smallest units, so a longer bar is exactly the
sum of its minutes, at every bar length and anchor.

A table is int64, shape (8, bars), ascending: ts (ms), open, high, low, close, vol, volCcy, volCcyQuote.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from kronosforge.core.bars import DAY, HONG_KONG, HOUR, LENGTHS, MINUTE, Bar, Span, bar, instant, subtract
from kronosforge.sandbox.instruments import DEFAULT, Instrument

Row = list[str]  # ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm
Table = NDArray[np.int64]
Floats = NDArray[np.float64]

MINUTES = DAY // MINUTE
BLOCK_DAYS = 28
BLOCK = BLOCK_DAYS * DAY
HORIZON = instant("2100-01-01")

# OKX opens bars that its 8 hours do not divide on UTC+8 days; its `utc` suffix is our plain code.
OKX_BARS = {
    spelling: bar(code)
    for name, length in LENGTHS.items()
    for spelling, code in (
        [(name, name)] if (8 * HOUR) % length == 0 else [(name, name + HONG_KONG), (f"{name}utc", name)]
    )
}

# Longer bars, on UTC and on UTC+8 days, are whole numbers of 2H bars, so only these are cached for them.
CACHED_BAR = bar("2H")

_MONDAY_TO_SUNDAY = np.array([1.0, 1.05, 1.1, 1.05, 1.0, 0.65, 0.6])
_PATTERN = np.array([1.0, 1.0, 1.0, 0.0, -1.0, -1.0, -1.0])
_DAY_SHAPE = np.repeat(1 + 0.35 * np.sin(2 * np.pi * (np.arange(48) - 16) / 48), MINUTES // 48)  # busiest at 14:00 UTC
_OF_DAY = np.arange(1, MINUTES + 1) / MINUTES


class Market(Protocol):
    """What an exchange trades."""

    instruments: dict[str, Instrument]

    def rows(self, name: str, size: Bar, span: Span, limit: int, now: int) -> list[Row]:
        """The newest `limit` rows whose bars open in `span` and not after `now`, newest first."""


@dataclass(frozen=True)
class Coin:
    """How a coin moves: the price at the start of 2017, and the mean volume of a minute, in coins."""

    price: float
    volume: float


COINS = {"BTC": Coin(8_000.0, 15.0), "ETH": Coin(300.0, 250.0)}
ANY_COIN = Coin(50.0, 800.0)


@dataclass(frozen=True)
class _Days:
    """A coin's days since 1970, each array of shape (days,)."""

    price: Floats  # at the day's first instant
    sigma: Floats  # standard deviation of the day's relative move
    expected: Floats  # the part of the day's logarithmic move that depends on the weekday


@dataclass(frozen=True)
class _Shape:
    """How a coin moves inside a block's days, relative to the day's opening price; shape (BLOCK_DAYS, MINUTES)."""

    bridge: Floats  # at each minute's end; 0 at the day's end
    up: Floats  # the upper wick
    down: Floats
    volume: Floats  # mean about 1


class Synthetic:
    """Synthetic candles of `instruments`, the same for the same seed.

    `listing` moves an instrument's first candle (ms); `gaps` are spans in which it has no candles. There is a bar if its
    open is at or after the listing, in no gap, and not after `now`.

    `edge`, from 0 to 1, creates a market of known truth: the logarithm of a coin's price is a random walk by days, and the
    share `edge` (as a correlation) of each step depends only on the weekday; with 0 nothing can be predicted. The pattern
    depends on the coin and the seed: three weekdays rise, three fall, one does neither, and the week has no drift. Meant
    for bars of one UTC day within about five years of 2024: further away a price may reach its bounds and stop moving.
    """

    def __init__(
        self,
        seed: int = 0,
        instruments: Iterable[Instrument] = DEFAULT,
        *,
        listing: Mapping[str, int] | None = None,
        gaps: Mapping[str, Sequence[Span]] | None = None,
        edge: float | None = None,
    ) -> None:
        self.seed, self.edge = seed, edge
        self.gaps = dict(gaps or {})
        listings = listing or {}
        self.instruments = {i.id: i.listed_from(listings.get(i.id, i.listing)) for i in instruments}
        self._days = lru_cache(None)(self._make_days)
        self._shape = lru_cache(4)(self._make_shape)
        self._minutes = lru_cache(8)(self._make_minutes)
        self._bars = lru_cache(8192)(self._make_bars)

    def rows(self, name: str, size: Bar, span: Span, limit: int, now: int) -> list[Row]:
        """The newest `limit` rows whose bars open in `span`, newest first; the bar forming at `now` has confirm 0."""
        instrument = self.instruments[name]
        available = Span(max(span.start, instrument.listing), min(span.stop, now + 1))
        rows: list[Row] = []
        for part in reversed(subtract(available, list(self.gaps.get(name, [])))):
            stop = size.ceil(part.stop)
            start = max(size.ceil(part.start), stop - (limit - len(rows)) * size.length)
            finished = min(stop, size.floor(now))
            if start < stop and finished < stop:
                rows.extend(_rows(instrument, self._forming(instrument, size, now), "0"))
            rows.extend(_rows(instrument, self.table(name, size, Span(start, finished)), "1"))
        return rows[:limit]

    def expected_move(self, name: str, day: int) -> float:
        """The expected logarithmic move of the UTC day that opens at `day` (ms)."""
        return float(self._days(self.instruments[name].base).expected[day // DAY])

    def table(self, name: str, size: Bar, span: Span) -> Table:
        """Every whole bar that opens in `span`, regardless of listing, gaps and clock."""
        part = size if size.length <= 4 * HOUR else CACHED_BAR
        start, stop = size.ceil(span.start), size.ceil(span.stop)
        if start >= stop:
            return np.empty((8, 0), np.int64)
        per_block, first, last = BLOCK // part.length, start // part.length, stop // part.length
        parts = []
        for block in range(start // BLOCK, (stop - 1) // BLOCK + 1):
            inside = slice(max(first - block * per_block, 0), last - block * per_block)
            parts.append(self._bars(name, block, part.length)[:, inside])
        whole = np.concatenate(parts, axis=1)
        return _aggregate(whole, size.length // part.length)

    def _forming(self, instrument: Instrument, size: Bar, now: int) -> Table:
        """The bar at `now` from its finished minutes; before the first is finished, flat at the opening price."""
        opened, minute = size.floor(now), bar("1m")
        minutes = self.table(instrument.id, minute, Span(opened, minute.floor(now)))
        if minutes.shape[1]:
            return _aggregate(minutes, minutes.shape[1])
        price = self.table(instrument.id, minute, Span(opened, opened + 1))[1, 0]
        return np.array([[opened, price, price, price, price, 0, 0, 0]]).T

    def _make_bars(self, name: str, block: int, length: int) -> Table:
        return _aggregate(self._minutes(name, block), length // MINUTE)

    def _make_minutes(self, name: str, block: int) -> Table:
        instrument = self.instruments[name]
        shape, prices = self._shape(instrument.base, block), self._days(instrument.base).price * self._premium(name)
        days = slice(block * BLOCK_DAYS, (block + 1) * BLOCK_DAYS + 1)
        starts, ticks = prices[days][:-1, None], 10.0**instrument.tick_decimals
        path = starts * (1 + shape.bridge) + np.diff(prices[days])[:, None] * _OF_DAY
        path[:, -1] = prices[days][1:]  # the next day's first price, to the last bit
        close = np.maximum(np.rint(path * ticks), 1).astype(np.int64).ravel()
        first = max(int(np.rint(starts[0, 0] * ticks)), 1)
        opens = np.concatenate([[first], close[:-1]])
        high = np.maximum(opens, close) + (shape.up * starts * ticks).astype(np.int64).ravel()
        low = np.maximum(np.minimum(opens, close) - (shape.down * starts * ticks).astype(np.int64).ravel(), 1)
        ts = block * BLOCK + MINUTE * np.arange(BLOCK_DAYS * MINUTES)
        lots = self._lots(instrument, block, shape.volume)
        return np.stack([ts, *_with_turnover(instrument, np.stack([opens, high, low, close]), lots)])

    def _lots(self, instrument: Instrument, block: int, activity: Floats) -> Table:
        """Each minute's volume in the smallest unit of column `vol`."""
        coins = COINS.get(instrument.base, ANY_COIN).volume * activity.ravel()
        coins *= 0.5 + self._random(instrument.id, block).random(coins.size)
        if instrument.ct_type == "inverse":
            coins *= COINS.get(instrument.base, ANY_COIN).price * 5 / float(instrument.ct_val)
        elif instrument.ct_type == "linear":
            coins *= 100 / float(instrument.ct_val)
        else:
            coins *= 10.0**5
        return 1 + coins.astype(np.int64)

    def _premium(self, name: str) -> Floats:
        """An instrument's price over its coin's, day by day: a few hundredths of a percent."""
        if self.edge is not None:  # a premium that varies could be predicted
            return np.ones(HORIZON // DAY + BLOCK_DAYS)
        return 1 + 2e-4 * self._random(name, -1).standard_normal(HORIZON // DAY + BLOCK_DAYS)

    def _make_shape(self, coin: str, block: int) -> _Shape:
        random = self._random(coin, block)
        size = (BLOCK_DAYS, MINUTES)
        sigma = self._days(coin).sigma[block * BLOCK_DAYS : (block + 1) * BLOCK_DAYS, None] / MINUTES**0.5
        heat = np.repeat(np.exp(0.35 * random.standard_normal((BLOCK_DAYS, 48))), MINUTES // 48, axis=1) * _DAY_SHAPE
        step = heat * sigma
        moves = random.standard_normal(size)
        walk = np.cumsum(moves * step, axis=1)
        return _Shape(
            bridge=walk - walk[:, -1:] * _OF_DAY,
            up=random.standard_exponential(size) * step * 0.4,
            down=random.standard_exponential(size) * step * 0.4,
            volume=(step / 0.0008) * (0.3 + np.abs(moves)) * (0.2 + random.standard_exponential(size)),
        )

    def _make_days(self, coin: str) -> _Days:
        """Days from 1970 on: with trends, calm and volatile months, calmer weekends, around a slowly rising level."""
        days = HORIZON // DAY + BLOCK_DAYS
        random = self._random(coin, -1)
        mood = np.clip(_drift(random.standard_normal(days) * 0.15, 0.97), -1.5, 1.3)
        weekday = _MONDAY_TO_SUNDAY[(np.arange(days) + 3) % 7]  # 1970-01-01 was a Thursday
        sigma = 0.026 * np.exp(mood) * weekday**0.5
        if self.edge is not None:
            return _known_truth(COINS.get(coin, ANY_COIN).price, random, sigma, self.edge)
        trend = _drift(random.standard_normal(days) * 0.0006, 0.98)
        level = _drift(trend + sigma * random.standard_normal(days), 0.998)
        years = np.clip(
            (np.arange(days) - instant("2017-01-01") // DAY) / 365.25, 0, 15
        )  # unlimited growth would overflow
        return _Days(COINS.get(coin, ANY_COIN).price * np.exp(level + 0.2 * years), sigma, np.zeros(days))

    def _random(self, name: str, block: int) -> np.random.Generator:
        """The random stream of `name` in `block`, independent of earlier calls."""
        key = np.array([self.seed % 2**64, crc32(name.encode())], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=(block + 1) << 128))


def _known_truth(price: float, random: np.random.Generator, sigma: Floats, edge: float) -> _Days:
    """Days of a random walk; the share `edge` of each step depends on its weekday. `price` is the price of 2024-01-01."""
    expected = sigma * edge * _weekly(random.permutation(_PATTERN))[(np.arange(len(sigma)) + 3) % 7]
    steps = expected + sigma * (1 - edge**2) ** 0.5 * random.standard_normal(len(sigma))
    level = np.concatenate([[0.0], np.cumsum(steps)[:-1]])  # at each day's first instant
    level -= level[instant("2024-01-01") // DAY]
    return _Days(price * np.exp(np.clip(level, -5, 12)), sigma, expected)


def _weekly(pattern: Floats) -> Floats:
    """`pattern` (7,), Monday first, scaled so that its sum over the week is 0 and its share of the variance 1."""
    variance = _MONDAY_TO_SUNDAY
    level = pattern - np.average(pattern, weights=variance**0.5)
    scaled: Floats = level / np.average(level**2, weights=variance) ** 0.5
    return scaled


def _drift(shocks: Floats, keep: float) -> Floats:
    """x[t] = keep × x[t-1] + shocks[t]."""
    return np.fromiter(accumulate(shocks, lambda x, shock: keep * x + shock), np.float64, len(shocks))


def _with_turnover(instrument: Instrument, prices: Table, lots: Table) -> Iterable[Table]:
    """o, h, l, c, vol, volCcy, volCcyQuote as OKX defines them for this kind of instrument, in whole units."""
    opens, high, low, close = prices
    price = (high + low + close) // 3
    if instrument.ct_type == "inverse":  # quote = contracts × ctVal is exact; the coins follow from the price
        quote = lots * int(instrument.ct_val)
        scale = 10.0 ** (instrument.tick_decimals + instrument.decimals[5])
        coins = np.rint(quote / price * scale).astype(np.int64)
        mean = quote / coins * scale  # rounding the coins may move it outside a narrow bar
        high = np.maximum(high, np.ceil(mean).astype(np.int64))
        low = np.minimum(low, np.floor(mean).astype(np.int64))
        return opens, high, low, close, lots, coins, quote
    if instrument.ct_type == "linear":
        coins = lots * int(instrument.ct_val.replace(".", ""))
        return opens, high, low, close, lots, coins, coins * price
    return opens, high, low, close, lots, lots * price, lots * price


def _aggregate(table: Table, count: int) -> Table:
    """Every `count` neighbouring bars merged into one."""
    parts = table.reshape(8, -1, count)
    first, last = parts[:2, :, 0], parts[4, :, -1]
    return np.stack([*first, parts[2].max(1), parts[3].min(1), last, *parts[5:].sum(2)])


def _rows(instrument: Instrument, table: Table, confirm: str) -> list[Row]:
    """The bars of `table` as rows of a response, newest first."""
    ts, *values = table[:, ::-1]
    texts = [_decimals(column, places) for column, places in zip(values, instrument.decimals, strict=True)]
    return [[*row, confirm] for row in zip(map(str, ts.tolist()), *texts, strict=True)]


def _decimals(units: NDArray[np.int64], places: int) -> list[str]:
    """`units` × 10^-places, exact and without trailing zeros, as OKX writes numbers."""
    if not places:
        return [str(whole) for whole in units.tolist()]
    pairs = zip(*(part.tolist() for part in np.divmod(units, 10**places)), strict=True)
    return [f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".") for whole, part in pairs]
