"""Faults: said in one line, the same for the same requests, and what they claim to be on the wire."""

import http.client
import json
import time
from collections import Counter

import pytest

from kronosforge.core.errors import UsageError
from kronosforge.sandbox import Clock, Faults, Sandbox, serving
from kronosforge.sandbox.faults import KINDS, parse, repeat

from .asking import NOW, get

CANDLES = "/market/history-candles"
HOURLY = {"instId": "BTC-USD-SWAP", "bar": "1H"}


@pytest.fixture
def failing(server):
    """The server, and a way to set its faults."""

    def fail(spec):
        server.sandbox.faults = parse(spec)
        return server.url

    return fail


def pages(url, count=40):
    """Distinct requests, so that each draws its own fault."""
    return [get(url, CANDLES, **HOURLY, limit=limit) for limit in range(1, count + 1)]


def test_a_spec_is_read():
    faults = parse("429=0.2, reset=1,skew=-90.5,seed=3,delay=0.01,")
    assert dict(faults.chances) == {"429": 0.2, "reset": 1.0}
    assert (faults.skew, faults.seed, faults.delay) == (-90.5, 3, 0.01)
    assert parse("") == Faults()


def test_all_sets_every_kind_and_what_follows_overrides():
    assert dict(parse("all=0.2,slow=0").chances) == dict.fromkeys(KINDS, 0.2) | {"slow": 0.0}


@pytest.mark.parametrize(
    "spec", ["404=0.1", "429", "429=x", "429=1.1", "html=-0.1", "slow=nan", "seed=1.5", "delay=-1", "skew=inf"]
)
def test_a_spec_that_cannot_be_is_refused_with_what_can(spec):
    with pytest.raises(UsageError, match=f"{spec}.*429 5xx reset truncate html slow duplicate missing all.*skew"):
        parse(f"429=0.1,{spec}")


def test_faults_depend_on_seed_request_and_attempt_alone():
    faults = parse("all=0.3,seed=5")
    draws = [faults.draw(f"/{n}", attempt) for n in range(50) for attempt in range(3)]
    assert draws == [parse("all=0.3,seed=5").draw(f"/{n}", attempt) for n in range(50) for attempt in range(3)]
    assert draws != [parse("all=0.3,seed=6").draw(f"/{n}", attempt) for n in range(50) for attempt in range(3)]
    assert len({str(draw) for draw in draws}) > 100


def test_each_kind_strikes_as_often_as_it_was_told():
    faults = parse("all=0.3,slow=0,html=1")
    struck = Counter(kind for n in range(2000) for kind in faults.draw(f"/{n}", 0))
    assert struck["html"] == 2000
    assert struck["slow"] == 0
    assert all(500 < struck[kind] < 700 for kind in KINDS if kind not in ("html", "slow"))


def test_the_same_requests_meet_the_same_faults(market):
    def walk():
        faults = parse("429=0.2,5xx=0.2,html=0.2,duplicate=0.3,missing=0.2,seed=1")
        with serving(Sandbox(market, Clock(NOW), faults=faults, rate_limits=False)) as server:
            return [answer.text for answer in pages(server.url, 25)], [r.fault for r in server.requests]

    first = walk()
    assert first == walk()
    assert set(first[1]) >= {"", "429", "5xx", "html", "duplicate", "missing"}


def test_a_request_made_again_draws_anew(failing):
    url = failing("missing=0.5")
    assert len({len(get(url, CANDLES, **HOURLY).times) for _ in range(20)}) == 2


def test_429_comes_with_either_status(failing):
    answers = pages(failing("429=1"))
    assert {(a.status, a.code) for a in answers} == {(429, "50011"), (200, "50011")}


def test_5xx_comes_in_its_three_forms(failing):
    answers = pages(failing("5xx=1"))
    assert {(a.status, a.code) for a in answers} == {(503, "50001"), (429, "50013"), (500, "50026")}


def test_html_comes_with_either_status(failing):
    answers = pages(failing("html=1"))
    assert {(a.status, a.kind) for a in answers} == {(200, "text/html"), (502, "text/html")}
    assert all(a.text.startswith("<!DOCTYPE html>") for a in answers)


def test_reset_is_a_reset(failing):
    url = failing("reset=1")
    with pytest.raises(ConnectionResetError):
        get(url, CANDLES, **HOURLY)


def test_truncation_is_a_short_body_or_cut_json(failing):
    url = failing("truncate=1")
    seen = set()
    for limit in range(1, 30):
        try:
            json.loads(get(url, CANDLES, **HOURLY, limit=limit).text)
        except (http.client.IncompleteRead, json.JSONDecodeError) as error:
            seen.add(type(error))
    assert seen == {http.client.IncompleteRead, json.JSONDecodeError}


def test_slow_is_late_and_right(failing, server):
    url, begun = failing("slow=1,delay=0.2"), time.monotonic()
    slow = get(url, CANDLES, **HOURLY)
    assert time.monotonic() - begun >= 0.2
    assert [request.fault for request in server.requests] == ["slow"]
    assert slow.text == get(failing(""), CANDLES, **HOURLY).text


def test_duplicates_stand_beside_their_twins_and_nothing_is_lost(failing):
    whole = get(failing(""), CANDLES, **HOURLY).body["data"]
    twice = get(failing("duplicate=1"), CANDLES, **HOURLY).body["data"]
    assert len(twice) > len(whole)
    assert list(dict.fromkeys(map(tuple, twice))) == list(map(tuple, whole))


def test_repeat_stays_inside_a_short_page():
    assert repeat([["a"]], 0.99) == [["a"], ["a"]]
    assert repeat([["a"], ["b"], ["c"], ["d"]], 0.3) == [["a"], ["b"], ["b"], ["c"], ["c"], ["d"], ["d"]]


def test_a_missing_page_is_empty_and_says_nothing(failing):
    answer = get(failing("missing=1"), CANDLES, **HOURLY)
    assert answer.body == {"code": "0", "msg": "", "data": []}


def test_only_candles_go_missing(failing):
    url = failing("missing=1,duplicate=1")
    assert len(get(url, "/public/instruments", instType="SWAP").body["data"]) == 3


def test_skew_moves_the_clock_and_not_the_bars(failing):
    url = failing("skew=90")
    assert get(url, "/public/time").body["data"] == [{"ts": str(NOW + 90_000)}]
    assert get(url, CANDLES, instId="BTC-USDT", limit=1).times == [NOW // 60_000 * 60_000]
