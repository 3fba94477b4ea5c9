"""Recognising the market of a series: the exchanges of the shared candles, and bars generated from a calendar."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from kronosforge.clean import calendar_advice, clean, expected
from kronosforge.clean.recognise import SessionGaps, session_gaps
from kronosforge.config import CleanConfig, SourceConfig
from kronosforge.core.bars import DAY, HOUR, Span, instant, series
from kronosforge.core.errors import DataError
from kronosforge.source.files.folder import FilesSource
from tests.clean.clean_frames import walk

DAILY, HOURLY = series("AAA_1D"), series("AAA_1H")
SHANGHAI = {"label": "close", "timezone": "Asia/Shanghai"}


def due(calendar, key, start="2022-01-01", stop="2024-01-01"):
    return expected(calendar, series(key).bar, Span(instant(start), instant(stop)))


def cleaned(ts, key, **settings):
    """Faultless candles at `ts`, cleaned; the last bar ends the span."""
    span = Span(int(ts[0]), int(ts[-1]) + series(key).bar.length)
    return clean(walk(len(ts)).with_columns(ts=pl.Series(ts)), series(key), span, CleanConfig(**settings))


@pytest.mark.parametrize(
    ("folder", "key", "how", "calendar"),
    [
        ("ashare", "600519_1D", {}, "XSHG"),
        ("ashare", "600977_5m", SHANGHAI, "XSHG"),
        ("us", "aapl_1D", {}, "XNYS"),
    ],
)
def test_real_candles_of_an_exchange_fit_its_calendar(shared, folder, key, how, calendar):
    config = SourceConfig(name="files:folder", **how)
    ts = FilesSource(shared / "data" / folder, config).read(series(key))["ts"].unique().sort().to_numpy()
    assert session_gaps(ts, series(key)) == SessionGaps((calendar,), 1.0)


@pytest.mark.parametrize("calendar", ["XHKG", "XLON", "XTKS", "CMES", "24/5"])
@pytest.mark.parametrize("key", ["AAA_1D", "AAA_15m"])
def test_bars_of_a_calendar_fit_it_best(calendar, key):
    assert session_gaps(due(calendar, key), series(key)).calendars == (calendar,)


def test_suspended_days_leave_the_calendar_recognisable():
    ts = due("XSHG", "AAA_1D")
    assert session_gaps(np.delete(ts, slice(100, 180)), DAILY).calendars[0] == "XSHG"


def test_calendars_that_fit_equally_are_all_named():
    gaps = session_gaps(due("XSHG", "AAA_1D", "2021-05-06", "2021-09-10"), DAILY)
    assert gaps.calendars == ("XSHG", "XASX", "XTAI")
    assert "(so do XASX, XTAI)" in calendar_advice({DAILY: gaps})[DAILY].translated("en")


def test_sessions_that_no_calendar_has_are_named_as_such():
    ts = np.array([t for t in due("24/7", "AAA_1H") if t % DAY // HOUR in (1, 2, 3, 4)])
    gaps = session_gaps(ts, HOURLY)
    assert gaps.calendars == ()
    assert "none of the calendars XSHG, XHKG" in calendar_advice({HOURLY: gaps})[HOURLY].translated("en")


@pytest.mark.parametrize("key", ["AAA_1H", "AAA_1D"])
def test_outages_are_not_taken_for_sessions(key):
    ts = due("24/7", key, "2022-01-01", "2023-01-01")
    present = np.random.default_rng(0).random(len(ts)) > 0.3
    present[100:150] = False
    assert session_gaps(ts[present], series(key)) is None


@pytest.mark.parametrize(("key", "bars"), [("AAA_1W", 100), ("AAA_1D@UTC+8", 500), ("AAA_1D", 15)])
def test_bars_that_belong_to_no_session_are_not_recognised(key, bars):
    weekdays = due("XNYS", "AAA_1D")[:bars]
    assert session_gaps(weekdays + series(key).bar.offset, series(key)) is None


def test_series_of_one_market_share_one_text_that_names_three_of_them():
    group = [series(f"60000{n}.SH_1D") for n in range(5)]
    shares = [1.0, 0.998, 1.0, 1.0, 1.0]
    advice = calendar_advice(
        {member: SessionGaps(("XSHG",), share) for member, share in zip(group, shares, strict=True)}
    )
    (text,) = set(advice.values())
    assert text.translated("en") == (
        "600000.SH_1D, 600001.SH_1D, 600002.SH_1D and 2 more series have session gaps (nights, weekends or lunch breaks); "
        "calendar XSHG fits 99.8 % of the bars; set clean.calendar to 'XSHG' (--set clean.calendar=XSHG), "
        'or to {"600000.SH_1D": "XSHG"} beside series of other markets'
    )
    assert "日历 XSHG 与 99.8 % 的K线吻合" in text.translated("zh")


def test_bars_that_open_at_half_past_are_refused_with_the_calendar_that_they_fit():
    with pytest.raises(DataError, match=r"do not open on the bar's grid.*calendar XNYS fits 100 % of the bars"):
        cleaned(due("XNYS", "AAPL_1H"), "AAPL_1H")


def test_bars_off_a_calendar_that_is_not_theirs_are_refused_with_their_own():
    with pytest.raises(DataError, match=r"when the calendar has none.*calendar XSHG fits 100 % of the bars"):
        cleaned(due("XSHG", "AAA_1D"), "AAA_1D", calendar="XNYS")


def test_with_its_calendar_a_series_has_no_session_gaps():
    assert cleaned(due("XSHG", "AAA_1D"), "AAA_1D", calendar="XSHG").session_gaps is None


def test_a_market_that_never_closes_does_not_wait_for_the_calendars():
    code = (
        "import sys; from tests.clean.clean_frames import run, walk, without; "
        "assert run(without(walk(500), 100, 101, 300)).session_gaps is None; "
        "sys.exit('exchange_calendars' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_where_gaps_are_forbidden_those_of_sessions_are_named():
    with pytest.raises(DataError, match=r"103 gap\(s\), the first at .*calendar 24/5 fits 100 % of the bars"):
        cleaned(due("24/5", "AAA_1D"), "AAA_1D", gaps="fail")
