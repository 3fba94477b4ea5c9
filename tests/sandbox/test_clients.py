"""Real clients, unchanged, against the sandbox: ccxt's own OKX class and OKX's own Python SDK."""

import ccxt
import pytest
from okx.Account import AccountAPI
from okx.MarketData import MarketAPI
from okx.PublicData import PublicAPI
from okx.Status import StatusAPI

from kronosforge.core.bars import DAY, HOUR, MINUTE, Span, bar
from kronosforge.sandbox import Clock, Sandbox, Server, Synthetic, running, serving

from .asking import NOW

# The SDK asks for the time in a way that Python 3.12 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

KEYS = {"apiKey": "sandbox-key", "secret": "sandbox-secret", "password": "sandbox-passphrase"}


def ccxt_okx(server: Server, **options):
    return ccxt.okx({"urls": {"api": {"rest": server.url}, "test": {"rest": server.url}}, "rateLimit": 1} | options)


@pytest.fixture
def real_time(market):
    """An exchange whose clock is ours: ccxt counts from its own."""
    with serving(Sandbox(market, rate_limits=False)) as server:
        yield server


class TestCcxt:
    def test_it_finds_the_markets(self, server):
        markets = ccxt_okx(server).load_markets()
        inverse, linear = markets["BTC/USD:BTC"], markets["BTC/USDT:USDT"]
        assert sorted(markets) == ["BTC/USD:BTC", "BTC/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"]
        assert (inverse["inverse"], inverse["contractSize"], linear["linear"], linear["contractSize"]) == (
            True,
            100,
            True,
            0.01,
        )

    def test_fetch_ohlcv_reads_the_newest_candles(self, server, market):
        candles = ccxt_okx(server).fetch_ohlcv("BTC/USDT:USDT", "1d", limit=5)
        rows = market.rows("BTC-USDT-SWAP", bar("1D"), Span(0, NOW + 1), 5, NOW)[::-1]
        assert candles == [[int(row[0]), *map(float, (*row[1:5], row[6]))] for row in rows]

    def test_fetch_ohlcv_pages_forward_through_history(self, real_time, market):
        client, start = ccxt_okx(real_time), NOW - 400 * DAY
        candles_seen, since = [], start
        while since < start + 25 * DAY:
            page = client.fetch_ohlcv("BTC/USD:BTC", "1h", since=since, limit=300)
            candles_seen.extend(page)
            since = page[-1][0] + HOUR
        times = [candle[0] for candle in candles_seen]
        assert times == list(range(-(-start // HOUR) * HOUR, times[-1] + 1, HOUR))
        assert {request.path for request in real_time.requests[3:] if "candles" in request.path} == {
            "/api/v5/market/history-candles"
        }

    def test_fetch_ohlcv_of_recent_candles_includes_since(self, real_time):
        since = real_time.sandbox.now() // MINUTE * MINUTE - 20 * MINUTE
        candles = ccxt_okx(real_time).fetch_ohlcv("ETH/USDT:USDT", "1m", since=since, limit=10)
        assert [candle[0] for candle in candles] == [since + k * MINUTE for k in range(10)]

    def test_a_signed_call_is_accepted(self, real_time):
        answer = ccxt_okx(real_time, **KEYS).private_get_account_config()
        assert answer["data"][0]["perm"] == "read_only"

    @pytest.mark.parametrize(
        ("changes", "error", "code"),
        [
            ({"apiKey": "unheard-of"}, ccxt.AuthenticationError, "50111"),
            ({"secret": "wrong"}, ccxt.AuthenticationError, "50113"),
            ({"password": "wrong"}, ccxt.AuthenticationError, "50105"),
            ({"apiKey": "sandbox-key-demo"}, ccxt.AuthenticationError, "50101"),
            ({"apiKey": "sandbox-key-bound"}, ccxt.PermissionDenied, "50110"),
            ({"apiKey": "sandbox-key-elsewhere"}, ccxt.ExchangeError, "50119"),
        ],
    )
    def test_a_refused_call_raises_what_it_raises_on_okx(self, real_time, changes, error, code):
        with pytest.raises(error, match=code):
            ccxt_okx(real_time, **KEYS | changes).private_get_account_config()

    def test_a_clock_that_is_off_expires_the_signature(self, real_time):
        with (
            serving(Sandbox(real_time.sandbox.market, Clock(NOW))) as old,
            pytest.raises(ccxt.InvalidNonce, match="50102"),
        ):
            ccxt_okx(old, **KEYS).private_get_account_config()

    @pytest.mark.parametrize(
        ("faults", "error"),
        [
            ("429=1", ccxt.RateLimitExceeded),
            ("5xx=1", ccxt.ExchangeNotAvailable),
            ("reset=1", ccxt.NetworkError),
            ("slow=1,delay=3", ccxt.RequestTimeout),
        ],
    )
    def test_faults_are_the_errors_that_it_knows(self, faults, error):
        with running(faults=faults) as server, pytest.raises(error):
            ccxt_okx(server, timeout=300).public_get_public_time()

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ({"instId": "NO-USDT"}, ccxt.BadSymbol),
            ({"instId": "BTC-USDT", "bar": "8H"}, ccxt.BadRequest),
            ({}, ccxt.BadRequest),
        ],
    )
    def test_bad_requests_are_the_errors_that_it_knows(self, server, query, error):
        with pytest.raises(error):
            ccxt_okx(server).public_get_market_candles(query)

    def test_more_than_the_limit_is_the_error_that_it_knows(self, market):
        with serving(Sandbox(market, Clock(NOW))) as server:
            client = ccxt_okx(server, enableRateLimit=False)
            with pytest.raises(ccxt.RateLimitExceeded):
                for _ in range(21):
                    client.public_get_market_history_candles({"instId": "BTC-USDT", "limit": 1})


class TestPythonOkx:
    def test_candles_recent_and_historic(self, server, market):
        with MarketAPI(flag="0", domain=server.url) as client:
            recent = client.get_candlesticks("BTC-USD-SWAP", bar="4H", limit="3")
            cursor = recent["data"][-1][0]
            older = client.get_history_candlesticks("BTC-USD-SWAP", bar="4H", after=cursor, limit="3")
        rows = market.rows("BTC-USD-SWAP", bar("4H"), Span(0, NOW + 1), 6, NOW)
        assert (recent["code"], older["code"]) == ("0", "0")
        assert recent["data"] + older["data"] == rows

    def test_time_instruments_and_status(self, server):
        with PublicAPI(flag="0", domain=server.url) as client:
            assert client.get_system_time()["data"] == [{"ts": str(NOW)}]
            assert len(client.get_instruments("SWAP")["data"]) == 3
        with StatusAPI(flag="0", domain=server.url) as client:
            assert client.status()["data"] == []

    def test_demo_trading_gives_the_same_candles(self, server):
        answers = []
        for flag in "01":
            with MarketAPI(flag=flag, domain=server.url) as client:
                answers.append(client.get_candlesticks("BTC-USDT", bar="1Dutc"))
        assert answers[0] == answers[1]

    @pytest.mark.parametrize(("flag", "code"), [("0", "0"), ("1", "50101")])
    def test_a_signed_call(self, real_time, flag, code):
        with AccountAPI(*KEYS.values(), flag=flag, domain=real_time.url) as client:
            assert client.get_account_config()["code"] == code


def test_gaps_and_listings_reach_the_client():
    market = Synthetic(listing={"BTC-USDT": NOW - 9 * HOUR}, gaps={"BTC-USDT": [Span(NOW - 5 * HOUR, NOW - 3 * HOUR)]})
    with serving(Sandbox(market, Clock(NOW))) as server:
        candles = ccxt_okx(server).fetch_ohlcv("BTC/USDT", "1h")
    assert [-((candle[0] - NOW) // HOUR) for candle in candles] == [9, 8, 7, 6, 3, 2, 1]
