"""The endpoints, edge by edge: what OKX answers to the same request."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronosforge.core.bars import DAY, HOUR, MINUTE, Span, series
from kronosforge.sandbox import Clock, Sandbox, Synthetic, instrument, serving

from .asking import NOW, get

RECENT, HISTORY = "/market/candles", "/market/history-candles"
HOURLY = {"instId": "BTC-USDT-SWAP", "bar": "1H"}
TOP = NOW // HOUR * HOUR  # the forming hour


def hours(answer):
    """How many hours before the forming one each row opens."""
    return [(TOP - time) // HOUR for time in answer.times]


@pytest.mark.parametrize("path", [RECENT, HISTORY])
class TestPages:
    def test_newest_first_nine_strings_the_forming_bar_on_top(self, server, path):
        answer = get(server.url, path, **HOURLY)
        rows = answer.body["data"]
        assert (answer.status, answer.code, answer.body["msg"]) == (200, "0", "")
        assert all(len(row) == 9 and all(isinstance(value, str) for value in row) for row in rows)
        assert hours(answer) == list(range(100))
        assert [row[8] for row in rows] == ["0"] + ["1"] * 99

    def test_more_than_the_most_is_cut_to_it(self, server, path):
        assert len(get(server.url, path, **HOURLY, limit=500).times) == 300
        assert len(get(server.url, path, **HOURLY, limit=301).times) == 300
        assert len(get(server.url, path, **HOURLY, limit=7).times) == 7

    def test_after_and_before_exclude_their_instants(self, server, path):
        assert hours(get(server.url, path, **HOURLY, after=TOP - 5 * HOUR, limit=3)) == [6, 7, 8]
        assert hours(get(server.url, path, **HOURLY, after=TOP - 5 * HOUR + 1, limit=3)) == [5, 6, 7]
        assert hours(get(server.url, path, **HOURLY, before=TOP - 3 * HOUR)) == [0, 1, 2]
        assert hours(get(server.url, path, **HOURLY, before=TOP - 3 * HOUR - 1)) == [0, 1, 2, 3]

    def test_before_alone_gives_the_newest_page_not_the_next_one(self, server, path):
        assert hours(get(server.url, path, **HOURLY, before=TOP - 50 * HOUR, limit=3)) == [0, 1, 2]

    def test_both_give_what_lies_between(self, server, path):
        between = {"before": TOP - 9 * HOUR, "after": TOP - 5 * HOUR}
        assert hours(get(server.url, path, **HOURLY, **between)) == [6, 7, 8]
        assert hours(get(server.url, path, **HOURLY, **between, limit=2)) == [6, 7]
        assert hours(get(server.url, path, **HOURLY, before=TOP, after=TOP - HOUR)) == []

    def test_a_future_after_is_the_newest_page(self, server, path):
        assert hours(get(server.url, path, **HOURLY, after=99999999999999, limit=2)) == [0, 1]

    def test_before_all_candles_is_empty_and_no_error(self, server, path):
        answer = get(server.url, path, **HOURLY, after=1000)
        assert (answer.status, answer.code, answer.body["data"]) == (200, "0", [])

    def test_the_default_bar_is_a_minute(self, server, path):
        newer, older = get(server.url, path, instId="BTC-USDT", limit=2).times
        assert newer - older == MINUTE

    @pytest.mark.parametrize("bar", ["8H", "1h", "1d", "1Hutc", "1Mutc", "60"])
    def test_an_unknown_bar_is_51000(self, server, path, bar):
        answer = get(server.url, path, instId="BTC-USDT", bar=bar)
        assert (answer.status, answer.code, answer.body["msg"]) == (400, "51000", "Parameter bar error")

    @pytest.mark.parametrize(
        ("name", "value"),
        [("limit", "0"), ("limit", "-3"), ("limit", "x"), ("after", "1.5"), ("before", "²"), ("after", "9" * 5000)],
    )
    def test_a_bad_number_is_51000(self, server, path, name, value):
        answer = get(server.url, path, instId="BTC-USDT", **{name: value})
        assert (answer.status, answer.code, answer.body["msg"]) == (400, "51000", f"Parameter {name} error")

    def test_an_unknown_instrument_is_51001_with_status_200(self, server, path):
        answer = get(server.url, path, instId="XYZ-USDT-SWAP")
        assert (answer.status, answer.code, answer.body["data"]) == (200, "51001", [])

    def test_a_missing_instrument_is_50014(self, server, path):
        assert (get(server.url, path).status, get(server.url, path).code) == (400, "50014")


def test_recent_candles_end_at_1440_bars_and_say_so_with_an_empty_page(server):
    oldest = TOP - 1439 * HOUR
    assert hours(get(server.url, RECENT, **HOURLY, after=oldest + 2 * HOUR)) == [1438, 1439]
    beyond = get(server.url, RECENT, **HOURLY, after=oldest)
    assert (beyond.code, beyond.times) == ("0", [])
    assert hours(get(server.url, HISTORY, **HOURLY, after=oldest, limit=2)) == [1440, 1441]


@given(
    listing=st.integers(0, 300),
    now=st.integers(0, 300 * MINUTE),
    missing=st.tuples(st.integers(0, 300), st.integers(0, 60)),
    page=st.integers(1, 9),
    bar=st.sampled_from(["1m", "3m", "15m"]),
)
@settings(max_examples=100, deadline=None)
def test_walking_backwards_meets_every_bar_once(listing, now, missing, page, bar):
    start, length = NOW // DAY * DAY, {"1m": 1, "3m": 3, "15m": 15}[bar] * MINUTE
    gap = Span(start + missing[0] * MINUTE, start + sum(missing) * MINUTE)
    market = Synthetic(listing={"BTC-USDT": start + listing * MINUTE}, gaps={"BTC-USDT": [gap]})
    sandbox = Sandbox(market, Clock(start + now), page_limit=page)
    opens, cursor = [], ""
    while rows := sandbox.candles({"instId": "BTC-USDT", "bar": bar, "after": cursor}, None):
        opens.extend(int(row[0]) for row in rows)
        cursor = rows[-1][0]
    grid = range(start, start + now + 1, length)
    expected = [t for t in grid if t >= start + listing * MINUTE and not gap.start <= t < gap.stop]
    assert opens == expected[::-1]


def test_instruments_by_type_and_id(server):
    swaps = get(server.url, "/public/instruments", instType="SWAP").body["data"]
    [spot] = get(server.url, "/public/instruments", instType="SPOT").body["data"]
    [inverse] = get(server.url, "/public/instruments", instType="SWAP", instId="BTC-USD-SWAP").body["data"]
    assert [i["instId"] for i in swaps] == ["BTC-USD-SWAP", "BTC-USDT-SWAP", "ETH-USDT-SWAP"]
    assert (spot["instId"], spot["baseCcy"], spot["quoteCcy"], spot["ctVal"]) == ("BTC-USDT", "BTC", "USDT", "")
    assert (inverse["ctType"], inverse["ctVal"], inverse["ctValCcy"], inverse["settleCcy"]) == (
        "inverse",
        "100",
        "USD",
        "BTC",
    )
    assert all(isinstance(value, str) for row in swaps for value in row.values())


@pytest.mark.parametrize(
    ("query", "code"),
    [({}, "50014"), ({"instType": "swap"}, "51000"), ({"instType": "SWAP", "instId": "NO"}, "51001")],
)
def test_instruments_refuses_what_okx_refuses(server, query, code):
    assert get(server.url, "/public/instruments", **query).code == code


def test_time_is_the_clock_and_moves_with_it(server):
    assert get(server.url, "/public/time").body["data"] == [{"ts": str(NOW)}]
    server.sandbox.clock.at = NOW + 1
    assert get(server.url, "/public/time").body["data"] == [{"ts": str(NOW + 1)}]


def test_no_maintenance_is_an_empty_list(server):
    assert get(server.url, "/system/status").body == {"code": "0", "msg": "", "data": []}


def test_an_unknown_path_is_404_with_a_number_for_a_code(server):
    answer = get(server.url, "/market/candle")
    assert (answer.status, answer.body) == (404, {"msg": "Not Found", "code": 404, "data": {}})


@pytest.mark.parametrize(("path", "most"), [(RECENT, 40), (HISTORY, 20)])
def test_requests_over_the_limit_are_rejected_not_queued(market, path, most):
    with serving(Sandbox(market, Clock(NOW))) as server, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: get(server.url, path, instId="BTC-USDT", limit=1), range(most + 5)))
        rejected = [answer for answer in answers if answer.status == 429]
        assert len(rejected) == 5
        assert all(answer.body == {"msg": "Too Many Requests", "code": "50011"} for answer in rejected)
        assert sum(request.rejected for request in server.requests) == 5
        assert get(server.url, "/public/time").status == 200  # another endpoint has room of its own


def test_other_instruments_can_be_listed():
    doge = instrument("DOGE-USDT-SWAP", listing=NOW - 2 * DAY, tick_decimals=5)
    rows = Synthetic(1, [doge]).rows(doge.id, series("X_1D").bar, Span(0, NOW + 1), 10, NOW)
    assert [row[8] for row in rows] == ["0", "1"]
