"""The made-up market: valid, consistent across bar sizes, the same in whatever order it is asked."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronosforge.core.bars import DAY, HOUR, MINUTE, Span, bar, instant
from kronosforge.sandbox import Synthetic
from kronosforge.sandbox.market import BLOCK, OKX_BARS

NAMES = ["BTC-USD-SWAP", "BTC-USDT-SWAP", "ETH-USDT-SWAP", "BTC-USDT"]
MARKET = Synthetic(seed=7)
START = instant("2025-03-03T00:00Z")
ALWAYS = instant("2090-01-01")


def rows(market, name, code, start, stop, *, now=ALWAYS):
    """Every row of the span, oldest first, numbers exact."""
    page = market.rows(name, OKX_BARS[code], Span(start, stop), 1_000_000, now)[::-1]
    return [[Decimal(value) for value in row] for row in page]


def summed(minutes):
    """One candle of many, by definition."""
    columns = list(zip(*minutes, strict=True))
    ts, opens, high, low, close, *volumes, confirm = columns
    return [ts[0], opens[0], max(high), min(low), close[-1], *map(sum, volumes), confirm[-1]]


@given(name=st.sampled_from(NAMES), seed=st.integers(), day=st.integers(17_300, 40_000))
@settings(max_examples=15, deadline=None)
def test_every_minute_is_a_valid_bar(name, seed, day):
    table = Synthetic(seed).table(name, bar("1m"), Span(day * DAY, (day + 1) * DAY))
    _, opens, high, low, close, *volumes = table
    assert table.shape == (8, 1440)
    assert (low > 0).all()
    assert (high >= np.maximum(opens, close)).all()
    assert (low <= np.minimum(opens, close)).all()
    assert all((volume > 0).all() for volume in volumes)


@pytest.mark.parametrize("name", NAMES)
def test_turnover_over_volume_lies_between_low_and_high(name):
    for ts, _, high, low, _, vol, base, quote, _ in rows(MARKET, name, "1m", START, START + 6 * HOUR):
        coins = vol if name == "BTC-USDT" else base
        assert low <= quote / coins <= high, ts


def test_columns_mean_what_the_kind_of_instrument_says():
    for *_, vol, base, quote, _ in rows(MARKET, "BTC-USDT", "15m", START, START + DAY):
        assert base == quote != vol
    for *_, vol, base, _, _ in rows(MARKET, "BTC-USDT-SWAP", "15m", START, START + DAY):
        assert base == vol * Decimal("0.01")
    for *_, vol, base, _, _ in rows(MARKET, "ETH-USDT-SWAP", "15m", START, START + DAY):
        assert base == vol * Decimal("0.1")
    for *_, vol, _, quote, _ in rows(MARKET, "BTC-USD-SWAP", "15m", START, START + DAY):
        assert quote == vol * 100


@pytest.mark.parametrize("code", [code for code in OKX_BARS if code != "1m"])
@pytest.mark.parametrize("name", NAMES)
def test_a_larger_bar_is_the_sum_of_its_minutes(name, code):
    size = OKX_BARS[code]
    opened = size.ceil(START)
    [larger] = rows(MARKET, name, code, opened, opened + 1)
    assert larger == summed(rows(MARKET, name, "1m", opened, opened + size.length))


def test_six_4h_make_the_utc_day():
    [day] = rows(MARKET, "BTC-USDT-SWAP", "1Dutc", START, START + DAY)
    assert day == summed(rows(MARKET, "BTC-USDT-SWAP", "4H", START, START + DAY))


def test_bars_that_8_hours_do_not_divide_open_on_utc8_days():
    opens = {code: [r[0] % DAY // HOUR for r in rows(MARKET, NAMES[0], code, START, START + DAY)] for code in OKX_BARS}
    assert sorted(opens["6H"]) == [4, 10, 16, 22]
    assert sorted(opens["6Hutc"]) == [0, 6, 12, 18]
    assert sorted(opens["12H"]) == [4, 16]
    assert opens["1D"] == [16]
    assert opens["1Dutc"] == [0]


def test_a_minute_opens_where_the_last_one_closed_even_across_days_and_blocks():
    border = START // BLOCK * BLOCK
    minutes = rows(MARKET, "ETH-USDT-SWAP", "1m", border - 2 * DAY, border + 2 * DAY)
    assert all(minute[4] == following[1] for minute, following in pairwise(minutes))


def test_the_same_seed_gives_the_same_candles_in_whatever_order():
    late, early = Span(START, START + DAY), Span(START - 900 * DAY, START - 899 * DAY)
    forth, back = Synthetic(3), Synthetic(3)
    first = [forth.table("BTC-USD-SWAP", bar("1H"), span) for span in (early, late)]
    second = [back.table("BTC-USD-SWAP", bar("1H"), span) for span in (late, early)]
    assert np.array_equal(first[0], second[1])
    assert np.array_equal(first[1], second[0])
    assert not np.array_equal(first[0][1:], Synthetic(4).table("BTC-USD-SWAP", bar("1H"), early)[1:])


@pytest.mark.parametrize("code", ["3m", "1H", "4H", "1D", "1Wutc"])
def test_the_forming_bar_is_what_is_over_so_far(code):
    now = START + 13 * HOUR + 2 * MINUTE + 30_000
    opened = OKX_BARS[code].floor(now)
    *complete, forming = rows(MARKET, "BTC-USDT", code, opened - OKX_BARS[code].length, ALWAYS, now=now)
    so_far = rows(MARKET, "BTC-USDT", "1m", opened, now - 30_000)
    assert [row[8] for row in complete] == [1]
    assert forming[:8] == summed(so_far)[:8]
    assert forming[8] == 0


def test_a_bar_begins_flat_without_volume():
    [forming] = rows(MARKET, "BTC-USD-SWAP", "4H", START, ALWAYS, now=START)
    [whole] = rows(MARKET, "BTC-USD-SWAP", "1m", START, START + 1)
    assert forming == [START, *[whole[1]] * 4, 0, 0, 0, 0]


def test_nothing_opens_before_the_listing_inside_a_gap_or_after_now():
    gap = Span(START + 5 * HOUR, START + 8 * HOUR)
    market = Synthetic(listing={"BTC-USDT": START + 90 * MINUTE}, gaps={"BTC-USDT": [gap]})
    listed = rows(market, "BTC-USDT", "1H", 0, ALWAYS, now=START + 10 * HOUR + 1)
    assert [(row[0] - START) // HOUR for row in listed] == [2, 3, 4, 8, 9, 10]


def test_a_page_holds_the_newest_rows_across_a_gap():
    market = Synthetic(gaps={"BTC-USDT": [Span(START + 5 * HOUR, START + 8 * HOUR)]})
    page = market.rows("BTC-USDT", bar("1H"), Span(START, START + 10 * HOUR), 4, ALWAYS)
    assert [(int(row[0]) - START) // HOUR for row in page] == [9, 8, 4, 3]


def test_three_thousand_days_are_over_in_2026():
    now = instant("2026-01-01")
    for name in NAMES:
        assert MARKET.instruments[name].listing <= now - 3001 * DAY


@pytest.fixture(scope="module")
def days():
    """Four years of days: ts, relative move, relative range, volume."""
    table = MARKET.table("BTC-USDT-SWAP", bar("1D"), Span(instant("2021-01-01"), instant("2025-01-01")))
    ts, opens, high, low, close, volume, *_ = table
    return ts, np.log(close / opens), (high - low) / opens, volume


def test_calm_and_wild_times_cluster(days):
    _, move, size, _ = days
    assert np.corrcoef(size[:-1], size[1:])[0, 1] > 0.4
    assert abs(np.corrcoef(move[:-1], move[1:])[0, 1]) < 0.2


def test_volume_follows_volatility(days):
    _, _, size, volume = days
    assert np.corrcoef(np.log(size), np.log(volume))[0, 1] > 0.6


def test_weekends_are_quieter(days):
    ts, _, _, volume = days
    weekend = (ts // DAY + 3) % 7 >= 5
    assert volume[weekend].mean() < 0.9 * volume[~weekend].mean()


def test_instruments_of_one_coin_follow_one_price():
    span = Span(START, START + 30 * DAY)
    inverse, linear = (MARKET.table(name, bar("1H"), span)[4] for name in ("BTC-USD-SWAP", "BTC-USDT-SWAP"))
    assert 0 < np.abs(inverse / linear - 1).max() < 0.002


def daily_moves(market: Synthetic, days: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Logarithmic moves of so many days, and what an oracle knows of them."""
    start = instant("2021-01-01")
    table = market.table("BTC-USDT-SWAP", bar("1D"), Span(start, start + days * DAY))
    expected = [market.expected_move("BTC-USDT-SWAP", int(day)) for day in table[0]]
    return np.log(table[4] / table[1]), np.array(expected)


@pytest.mark.parametrize("edge", [0.2, 0.5, 0.8])
def test_a_market_of_known_truth_has_the_edge_that_was_asked_for(edge: float) -> None:
    correlations = [np.corrcoef(*daily_moves(Synthetic(seed, edge=edge)))[0, 1] for seed in range(4)]
    assert np.mean(correlations) == pytest.approx(edge, abs=0.06)


@pytest.mark.parametrize("seed", range(4))
def test_a_known_pattern_has_no_drift(seed: int) -> None:
    """Otherwise the price would run to its bounds within a few years, and what the oracle knows would no longer come."""
    _, expected = daily_moves(Synthetic(seed, edge=0.8), days=1498)
    assert abs(expected.mean()) < 0.02 * expected.std()


def test_without_an_edge_nothing_can_be_foretold() -> None:
    moves, expected = (
        np.concatenate(both) for both in zip(*(daily_moves(Synthetic(s, edge=0.0)) for s in range(4)), strict=True)
    )
    assert not expected.any()
    weekday = np.arange(len(moves)) % 1500 % 7
    by_day = [moves[weekday == day] for day in range(7)]
    assert max(abs(part.mean()) / (part.std() / np.sqrt(len(part))) for part in by_day) < 3.5
    assert abs(np.corrcoef(moves[1:], moves[:-1])[0, 1]) < 3.5 / np.sqrt(len(moves))


def test_the_ordinary_market_does_not_move_when_truth_is_not_asked_for() -> None:
    day = Span(instant("2025-06-01"), instant("2025-06-02"))
    plain, random_walk = (Synthetic(0, edge=edge).table("BTC-USDT-SWAP", bar("1H"), day) for edge in (None, 0.0))
    assert not np.array_equal(plain, random_walk)
    assert np.array_equal(plain, Synthetic(0).table("BTC-USDT-SWAP", bar("1H"), day))
