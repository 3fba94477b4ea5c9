"""When bars are due. Source: the published hours of the exchanges."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from kronosforge.clean import clean, expected
from kronosforge.clean.calendar import upcoming
from kronosforge.config import CleanConfig, ModelConfig
from kronosforge.core.bars import DAY, Span, bar, instant, iso, series
from kronosforge.core.errors import ConfigError, DataError
from kronosforge.workspace.validation import validate
from tests.clean.clean_frames import walk


def due(calendar, code, start, stop):
    return [iso(ts) for ts in expected(calendar, bar(code), Span(instant(start), instant(stop))).tolist()]


def test_a_market_that_never_closes_has_every_bar():
    assert due("24/7", "6H@UTC+8", "2024-01-06", "2024-01-07") == [
        "2024-01-06T04:00Z", "2024-01-06T10:00Z", "2024-01-06T16:00Z", "2024-01-06T22:00Z",
    ]  # fmt: skip


def test_shanghai_pauses_for_lunch():
    bars = due("XSHG", "30m", "2024-06-18", "2024-06-19")
    assert bars == [
        f"2024-06-18T{t}Z" for t in ("01:30", "02:00", "02:30", "03:00", "05:00", "05:30", "06:00", "06:30")
    ]


def test_the_last_bar_before_a_break_may_be_shorter():
    assert due("XSHG", "4H", "2024-06-18", "2024-06-19") == ["2024-06-18T01:30Z", "2024-06-18T05:00Z"]


def test_new_york_closes_early_after_thanksgiving():
    bars = due("XNYS", "1H", "2023-11-23", "2023-11-25")
    assert bars == [f"2023-11-24T{t}Z" for t in ("14:30", "15:30", "16:30", "17:30")]


def test_daily_bars_stand_at_midnight_utc_of_their_session():
    assert due("XSHG", "1D", "2024-04-03", "2024-04-09") == ["2024-04-03T00:00Z", "2024-04-08T00:00Z"]  # Qingming


def test_a_span_without_sessions_has_no_bars():
    assert due("XLON", "1D", "2024-01-06", "2024-01-08") == []


def test_beyond_the_recorded_years_nothing_is_due():
    assert due("XSHG", "1D", "1970-01-01", "1980-01-01") == []
    assert due("XSHG", "1D", "1900-01-01", "1990-12-05") == ["1990-12-03T00:00Z", "1990-12-04T00:00Z"]


@pytest.mark.parametrize(("calendar", "code"), [("XSHE!", "1D"), ("XSHG", "1W"), ("XSHG", "1D@UTC+8")])
def test_what_the_calendar_cannot_say_is_an_error(calendar, code):
    with pytest.raises(ConfigError, match=r"clean\.calendar"):
        due(calendar, code, "2024-01-01", "2024-02-01")


def test_spans_are_half_open():
    assert len(expected("24/7", bar("1H"), Span(0, 3_600_000))) == 1
    assert expected("24/7", bar("1H"), Span(1, 3_600_001)).dtype == np.int64


def test_a_market_that_never_closes_does_not_wait_for_pandas():
    code = "import sys, kronosforge.clean as c, kronosforge.core.bars as b; c.expected('24/7', b.bar('1H'), b.Span(0, 10**9))"
    loaded = "; sys.exit(bool({'pandas', 'exchange_calendars'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code + loaded], check=False).returncode == 0


@pytest.mark.parametrize(
    ("calendar", "code", "newest", "opens"),
    [
        ("24/7", "4H", "2024-01-05T20:00", ["2024-01-06T00:00Z", "2024-01-06T04:00Z"]),
        ("XSHG", "1D", "2024-02-07", ["2024-02-08T00:00Z", "2024-02-19T00:00Z"]),  # the Spring Festival
        ("XSHG", "4H", "2024-06-18T01:30", ["2024-06-18T05:00Z", "2024-06-19T01:30Z"]),  # a morning is two hours long
        ("XNYS", "1H", "2023-11-24T17:30", ["2023-11-27T14:30Z", "2023-11-27T15:30Z"]),
    ],
)
def test_the_next_bars_fall_on_sessions(calendar, code, newest, opens):
    assert [iso(ts) for ts in upcoming(calendar, bar(code), instant(newest), 2).tolist()] == opens


def test_a_calendar_that_ends_says_so():
    with pytest.raises(DataError, match=r"The calendar XSHG has fewer than 5 bars of 1D after 2090-01-01T00:00Z"):
        upcoming("XSHG", bar("1D"), instant("2090-01-01"), 5)


MIXED = ModelConfig(
    model_name="M",
    target_symbols=["600519.SH_1D", "600519.SH_5m", "AAPL_1D", "BTC-USDT-SWAP_1D"],
    clean=CleanConfig(calendar={"600519.SH": "XSHG", "600519.SH_5m": "XHKG", "AAPL_1D": "XNYS"}),
)


@pytest.mark.parametrize(
    ("key", "calendar"),
    [("600519.SH_1D", "XSHG"), ("600519.SH_5m", "XHKG"), ("AAPL_1D", "XNYS"), ("BTC-USDT-SWAP_1D", "24/7")],
)
def test_a_series_has_the_calendar_of_its_key_or_else_of_its_instrument(key, calendar):
    assert MIXED.clean.calendar_of(series(key)) == calendar


def test_a_star_stands_for_every_other_series():
    clean = CleanConfig(calendar={"*": "XNYS", "BTC-USDT-SWAP": "24/7"})
    assert clean.calendar_of(series("AAPL_1D")) == "XNYS"
    assert clean.calendar_of(series("BTC-USDT-SWAP_1D")) == "24/7"


def test_one_name_is_the_calendar_of_all_and_stays_one_name_in_json():
    clean = CleanConfig(calendar="XSHG")
    assert clean.calendar_of(series("AAPL_1D")) == "XSHG"
    assert clean.model_dump(mode="json")["calendar"] == "XSHG"


def test_a_calendar_for_no_series_of_the_model_is_refused_with_the_key_that_is_alike():
    values = {"model_name": "M", "target_symbols": ["600519.SH_1D"], "clean": {"calendar": {"600519.sh_1d": "XSHG"}}}
    with pytest.raises(ConfigError, match=r"'600519\.sh_1d' is not a series .*did you mean '600519\.SH_1D'\?") as error:
        validate(values, "config_m.py")
    assert "target_symbols" not in str(error.value)


def test_each_series_of_a_mixed_model_is_cleaned_by_its_own_calendar():
    weekdays = expected("XNYS", bar("1D"), Span(instant("2024-01-01"), instant("2024-03-01"))).tolist()
    frame = walk(len(weekdays)).with_columns(ts=pl.Series(weekdays))
    span = Span(weekdays[0], weekdays[-1] + DAY)
    segments = {
        key: clean(frame, series(key), span, MIXED.clean).candles["segment"].max()
        for key in ("AAPL_1D", "BTC-USDT-SWAP_1D")
    }
    assert segments["AAPL_1D"] == 1
    assert segments["BTC-USDT-SWAP_1D"] > 8
