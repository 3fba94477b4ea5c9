"""OKX through the sandbox: columns, days, endpoints, limits, faults."""

from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kronosforge.config import SourceConfig
from kronosforge.core.bars import Series, Span, bar, instant, series
from kronosforge.core.errors import ConfigError, NoDataError
from kronosforge.sandbox import Clock, Replay, Sandbox, Synthetic
from kronosforge.sandbox.faults import parse
from kronosforge.source import Source
from kronosforge.source.exchanges.exchange import place
from kronosforge.source.exchanges.okx import HOME, OkxSource, judge, okx_bar
from tests.source.files.asked import ask, candles, fetch

NOW = instant("2026-01-01T00:30:30Z")
MARKET = Synthetic(seed=3)


def sandbox(faults: str = "", *, rate_limits: bool = False, page_limit: int = 300) -> Sandbox:
    return Sandbox(MARKET, Clock(NOW), faults=parse(faults), rate_limits=rate_limits, page_limit=page_limit)


def newest(key: str, bars: int) -> tuple[Series, Span]:
    asked_series = series(key)
    stop = asked_series.bar.floor(NOW)
    return asked_series, Span(stop - bars * asked_series.bar.length, stop)


def rows(asked_series: Series, span: Span) -> list[list[str]]:
    """The market's own rows, oldest first."""
    return MARKET.rows(asked_series.instrument, asked_series.bar, span, 100_000, NOW)[::-1]


# ── columns


@pytest.mark.parametrize(("key", "coins"), [("BTC-USDT_4H", 5), ("BTC-USDT-SWAP_4H", 6), ("BTC-USD-SWAP_4H", 6)])
def test_volume_is_in_coins_and_turnover_in_quote_currency(key: str, coins: int) -> None:
    asked_series, span = newest(key, 40)
    fetched, truth = fetch(sandbox(), asked_series, span), rows(asked_series, span)
    assert fetched["vol"].to_list() == [float(row[coins]) for row in truth]
    assert fetched["amt"].to_list() == [float(row[7]) for row in truth]
    assert fetched["close"].to_list() == [float(row[4]) for row in truth]


@pytest.mark.parametrize("key", ["BTC-USDT_4H", "BTC-USDT-SWAP_4H", "BTC-USD-SWAP_4H"])
def test_turnover_by_volume_is_a_price_of_the_bar(key: str) -> None:
    fetched = fetch(sandbox(), *newest(key, 40)).filter(pl.col("vol") > 0)
    price = fetched["amt"] / fetched["vol"]
    assert (price.is_between(fetched["low"] * 0.999, fetched["high"] * 1.001)).all()


# ── days


@pytest.mark.parametrize(
    ("code", "spelling"),
    [
        ("1m", "1m"), ("15m", "15m"), ("1H", "1H"), ("2H", "2H"), ("4H", "4H"),
        ("6H", "6Hutc"), ("12H", "12Hutc"), ("1D", "1Dutc"), ("1W", "1Wutc"),
        ("6H@UTC+8", "6H"), ("12H@UTC+8", "12H"), ("1D@UTC+8", "1D"), ("1W@UTC+8", "1W"),
    ],
)  # fmt: skip
def test_a_day_is_the_utc_day_unless_it_says_otherwise(code: str, spelling: str) -> None:
    assert okx_bar(bar(code)) == spelling


@pytest.mark.parametrize("key", ["BTC-USDT-SWAP_1D", "BTC-USDT-SWAP_1D@UTC+8", "BTC-USDT-SWAP_1W", "BTC-USDT-SWAP_6H"])
def test_long_bars_are_the_market_s_own(key: str) -> None:
    asked_series, span = newest(key, 20)
    assert fetch(sandbox(), asked_series, span)["ts"].to_list() == [int(row[0]) for row in rows(asked_series, span)]


# ── endpoints


def test_recent_bars_come_from_the_quick_endpoint_and_old_ones_from_history() -> None:
    exchange = sandbox()
    fetched = fetch(exchange, *newest("BTC-USDT-SWAP_1m", 2000))
    assert fetched.height == 2000
    paths = Counter(request.path.rpartition("/")[2] for request in exchange.requests)
    assert paths == {"candles": 4, "history-candles": 3, "instruments": 1, "time": 1}


def test_the_end_of_the_quick_endpoint_is_not_the_beginning_of_history() -> None:
    exchange = sandbox()
    exchange.reach = 100  # far less than OKX documents
    fetched = fetch(exchange, *newest("BTC-USDT-SWAP_1m", 700))
    assert fetched.height == 700


def test_a_smaller_page_than_asked_for_loses_nothing() -> None:
    assert fetch(sandbox(page_limit=100), *newest("BTC-USDT-SWAP_1H", 1000)).height == 1000


def test_no_request_is_rejected_and_no_bar_is_missing_at_the_limit() -> None:
    exchange = sandbox(rate_limits=True)
    assert fetch(exchange, *newest("BTC-USDT-SWAP_4H", 12_000)).height == 12_000
    assert sum("history" in request.path for request in exchange.requests) > 30
    assert not [request for request in exchange.requests if request.rejected]


def test_series_share_the_limit() -> None:
    exchange = sandbox(rate_limits=True)

    async def several(source: Source) -> list[int]:
        keys = ["BTC-USDT-SWAP_1H", "BTC-USD-SWAP_1H", "ETH-USDT-SWAP_1H"]
        return [(await candles(source, *newest(key, 4_000))).height for key in keys]

    assert ask(exchange, several) == [4_000] * 3
    # 42 requests at 20 in two seconds: limits of their own would send all at once, and 22 would be rejected. A busy machine
    # may count one of them late.
    assert len([request for request in exchange.requests if request.rejected]) <= 2


def test_an_instrument_that_is_not_listed_is_named() -> None:
    with pytest.raises(NoDataError, match="DOGE-EUR"):
        fetch(sandbox(), *newest("DOGE-EUR_4H", 10))


def test_the_clock_decides_as_well_as_the_confirm_flag() -> None:
    asked_series, span = newest("BTC-USDT-SWAP_1m", 30)
    ahead = fetch(sandbox("skew=90"), asked_series, Span(span.start, span.stop + 120_000))
    behind = fetch(sandbox("skew=-90"), asked_series, span)
    assert ahead["ts"].to_list() == [int(row[0]) for row in rows(asked_series, span)]
    assert behind["ts"].to_list() == [int(row[0]) for row in rows(asked_series, span)][:-1]


# ── what OKX says


@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize(("code", "again"), [("50011", True), ("50001", True), ("50026", True), ("51000", False)])
def test_the_code_decides_and_not_the_status(status: int, code: str, again: bool) -> None:
    verdict = judge(status, {"code": code, "msg": "words", "data": []})
    assert verdict
    assert (verdict.code, verdict.again) == (code, again)


def test_a_good_answer_is_good_whatever_the_status() -> None:
    assert judge(500, {"code": "0", "msg": "", "data": []}) is None


@pytest.mark.parametrize("body", [{}, [], {"code": "0"}, {"code": "0", "data": {}}])
def test_an_answer_of_another_shape_is_asked_for_again(body: dict[str, object] | list[object]) -> None:
    verdict = judge(200, body)
    assert verdict
    assert verdict.again


# ── places


@pytest.mark.parametrize(
    ("url", "venue"),
    [
        (None, "okx"), ("https://www.okx.com", "okx"), ("https://www.okx.com/", "okx"),
        ("https://eea.okx.com", "okx@eea.okx.com"), ("http://127.0.0.1:8080", "okx@127.0.0.1_8080"),
    ],
)  # fmt: skip
def test_candles_of_two_places_never_share_a_folder(url: str | None, venue: str) -> None:
    assert place("okx", HOME, url)[0] == venue


@pytest.mark.parametrize("url", ["eea.okx.com", "ftp://eea.okx.com", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="KRONOS_OKX_URL"):
        OkxSource(SourceConfig(url=url))


def test_the_cost_counts_pages_at_their_limits() -> None:
    source, (asked_series, span) = OkxSource(SourceConfig()), newest("BTC-USDT-SWAP_1m", 60_000)
    cost = source.cost(asked_series, span, NOW)
    assert (cost.pages, round(cost.seconds)) == (201, 20)


# ── faults


FAULTS = ["429", "5xx", "reset", "truncate", "html", "slow", "duplicate", "missing", "all"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.usefixtures("quick")
def test_one_request_in_five_that_fails_changes_nothing(kind: str, seed: int) -> None:
    asked_series, span = newest("BTC-USDT-SWAP_1H", 400)
    exchange = sandbox(f"{kind}=0.2,seed={seed},delay=0.01", page_limit=15)
    assert_frame_equal(
        fetch(exchange, asked_series, span, retries=12), fetch(sandbox(), asked_series, span), check_exact=True
    )
    assert any(request.fault for request in exchange.requests)


# ── real candles


def test_real_candles_come_as_they_stand_in_the_file(shared: Path) -> None:
    exchange = Sandbox(market := Replay(shared / "data" / "okx"), Clock(market.newest_close), rate_limits=False)
    asked_series = series("BTC-USDT-SWAP_4H")
    fetched = fetch(exchange, asked_series, Span(instant("2023-01-01"), market.newest_close))
    file = pl.read_csv(shared / "data" / "okx" / "BTC-USDT-SWAP_4H.csv")
    for ours, spelling in {"ts": "ts", "open": "open", "vol": "volCcy", "amt": "volCcyQuote"}.items():
        assert fetched[ours].to_list() == file[spelling].to_list()


@pytest.mark.parametrize(
    "key", ["BTC-USD-SWAP_4H", "BTC-USD-SWAP_6H@UTC+8", "BTC-USD-SWAP_12H@UTC+8", "BTC-USD-SWAP_1D@UTC+8"]
)
def test_the_unfinished_bar_that_stands_twice_is_left_out(shared: Path, key: str) -> None:
    market = Replay(shared / "data" / "okx")
    exchange = Sandbox(market, Clock(market.newest_close), rate_limits=False)
    fetched = fetch(exchange, series(key), Span(instant("2024-01-01"), instant("2025-06-01")))
    assert fetched.height == 68
    assert fetched["ts"].n_unique() == 68
