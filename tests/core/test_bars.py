"""Bar codes, series keys, spans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.core.bars import DAY, HOUR, LENGTHS, Series, Span, bar, instant, iso, join, series, subtract, until
from kronosforge.core.errors import ConfigError

INSTANTS = st.integers(min_value=0, max_value=4_000_000_000_000)
CODES = st.sampled_from([*LENGTHS, "6H@UTC+8", "12H@UTC+8", "1D@UTC+8", "1W@UTC+8"])
SPANS = st.builds(lambda start, length: Span(start, start + length), st.integers(0, 60), st.integers(0, 20))


def test_a_day_is_the_utc_day_and_the_hong_kong_day_opens_at_16_utc() -> None:
    now = instant("2025-06-30T17:30Z")
    assert iso(bar("1D").floor(now)) == "2025-06-30T00:00Z"
    assert iso(bar("1D@UTC+8").floor(now)) == "2025-06-30T16:00Z"


def test_a_week_opens_on_monday() -> None:
    assert iso(bar("1W").floor(instant("2026-11-25"))) == "2026-11-23T00:00Z"


@pytest.mark.parametrize("code", ["1d", "4h", "1M", "3M", "2D", "1s", "", "4H@UTC+8", "1D@UTC", "1D@"])
def test_other_codes_are_refused(code: str) -> None:
    with pytest.raises(ConfigError, match=r"allowed|write"):
        bar(code)


@given(CODES, INSTANTS)
def test_floor_and_ceil_stand_on_the_grid_around_the_instant(code: str, now: int) -> None:
    size = bar(code)
    assert size.floor(now) <= now < size.floor(now) + size.length
    assert size.ceil(now) - size.length < now <= size.ceil(now)
    assert size.floor(size.ceil(now)) == size.ceil(now)


def test_the_bar_is_what_follows_the_last_underscore() -> None:
    assert series("BTC-USD-SWAP_4H") == Series("BTC-USD-SWAP", bar("4H"))
    assert str(series("A_B_1D@UTC+8")) == "A_B_1D@UTC+8"


@pytest.mark.parametrize(
    "key", ["../x_4H", "a/b_4H", "_4H", ".x_4H", "BTC", "a\\b_4H", "x" * 70 + "_4H", "a._4H", "a b_4H"]
)
def test_names_that_would_leave_their_folder_are_refused(key: str) -> None:
    with pytest.raises(ConfigError):
        series(key)


@given(SPANS, st.lists(SPANS, max_size=6))
def test_missing_is_wanted_without_held(wanted: Span, held: list[Span]) -> None:
    points = {t for span in held for t in range(*span)}
    missing = subtract(wanted, held)
    assert {t for span in missing for t in range(*span)} == set(range(*wanted)) - points
    assert missing == join(missing)


def test_a_span_counts_the_bars_that_open_inside() -> None:
    assert Span(0, DAY).bars(bar("4H")) == 6
    assert Span(1, DAY).bars(bar("4H")) == 5
    assert Span(1, 4 * HOUR).bars(bar("4H")) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-01-31", "2025-01-31T00:00Z"),
        ("2025-01-31T08:00+08:00", "2025-01-31T00:00Z"),
        ("2025-01-31T16:00:05Z", "2025-01-31T16:00:05Z"),
        ("2025-01-31 16:00", "2025-01-31T16:00Z"),
        ("2025-01-31 16:00 +08:00", "2025-01-31T08:00Z"),
        ("2025-01-31T16:00-0530", "2025-01-31T21:30Z"),
    ],
)
def test_instants_are_utc_unless_they_say_otherwise(text: str, expected: str) -> None:
    assert iso(instant(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "31/01/2025",
        "",
        "soon",
        "2025-02-30",
        "2025-01-31x16:00",
        "2025-01-31 25:00",
        "20250131",
        "2025-W05-5",
        "0001-01-01",
    ],
)
def test_what_is_not_a_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match="not a time; write 2025-01-31, 2025-01-31T16:00Z"):
        instant(text)


def test_now_is_left_to_the_source_s_clock() -> None:
    assert until("now") is None
    assert until("2025-01-31 16:00") == "2025-01-31 16:00"
    with pytest.raises(ConfigError, match="or now"):
        until("tomorrow")
