"""Frames in: every way of writing candles that is accepted gives the same paths; what is ambiguous or wrong is refused."""

from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from kronosforge.core.errors import ConfigError, DataError, UsageError
from kronosforge.forecast import Forecast, Forecaster

FEATURES = ["open", "high", "low", "close", "volume", "amount"]


@pytest.fixture(scope="module")
def candle_frame(candles: pd.DataFrame) -> pd.DataFrame:
    return candles[:40]


@pytest.fixture(scope="module")
def expected(forecaster: Forecaster, candle_frame: pd.DataFrame) -> Forecast:
    return forecaster.forecast({"A": candle_frame}, 12, 4)["A"]


def since_1970(frame: pd.DataFrame, unit: str) -> pd.Series:
    return frame.timestamps.astype(f"datetime64[{unit}]").astype("int64")


WAYS = {
    "an index": lambda f: f.set_index("timestamps"),
    "an index with a zone": lambda f: f.set_index("timestamps").tz_localize("UTC").tz_convert("Asia/Shanghai"),
    "an index of text": lambda f: f.assign(timestamps=f.timestamps.astype(str)).set_index("timestamps"),
    "an index in ns": lambda f: f.set_index(pd.DatetimeIndex(f.timestamps).as_unit("ns")).drop(columns="timestamps"),
    "a column called timestamp": lambda f: f.rename(columns={"timestamps": "timestamp"}),
    "a column with a zone": lambda f: f.assign(timestamps=f.timestamps.dt.tz_localize("Asia/Tokyo") + pd.Timedelta("9h")),
    "a column of Python datetimes": lambda f: f.assign(timestamps=pd.Series(list(f.timestamps.dt.to_pydatetime()), dtype=object)),
    "year-first text": lambda f: f.assign(timestamps=f.timestamps.dt.strftime("%Y/%m/%d %H:%M")),
    "text with offsets": lambda f: f.assign(timestamps=f.timestamps.dt.strftime("%Y-%m-%dT%H:%M:%S+00:00")),
    "seconds": lambda f: f.assign(timestamps=since_1970(f, "s")),
    "milliseconds": lambda f: f.assign(timestamps=since_1970(f, "ms")),
    "microseconds": lambda f: f.assign(timestamps=since_1970(f, "us")),
    "nanoseconds": lambda f: f.assign(timestamps=since_1970(f, "ns")),
    "milliseconds as floats": lambda f: f.assign(timestamps=since_1970(f, "ms").astype(float)),
    "the training set's names": lambda f: f.rename(columns={"volume": "vol", "amount": "amt"}),
    "columns in another order": lambda f: f[["amount", *FEATURES[:5], "timestamps"]],
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_frame_may_be_written_in_many_ways(
    forecaster: Forecaster, candle_frame: pd.DataFrame, expected: Forecast, way: str
) -> None:
    forecast = forecaster.forecast({"A": WAYS[way](candle_frame)}, 12, 4)["A"]
    assert np.array_equal(forecast.paths, expected.paths)
    assert (forecast.origin, forecast.times.tolist()) == (expected.origin, expected.times.tolist())
    assert forecast.notes == ()


def test_the_tables_are_labelled_as_the_frame_was(forecaster: Forecaster, candle_frame: pd.DataFrame) -> None:
    zoned = WAYS["an index with a zone"](WAYS["the training set's names"](candle_frame)).rename_axis("datetime")
    forecast = forecaster.forecast(zoned, 12, 4)
    assert (str(forecast.index.tz), forecast.index.name) == ("Asia/Shanghai", "datetime")
    assert forecast.index[0] == zoned.index[-1] + pd.Timedelta("4h")
    assert forecast.columns == [*FEATURES[:4], "vol", "amt"]
    naive = forecaster.forecast(candle_frame, 12, 4)
    assert (naive.index.tz, naive.index.name) == (None, "timestamps")
    assert list(naive.mean().columns) == FEATURES


def test_a_single_frame_gives_a_single_forecast(forecaster: Forecaster, candle_frame: pd.DataFrame) -> None:
    alone = forecaster.forecast(candle_frame, 12, 4)
    assert isinstance(alone, Forecast)
    assert np.array_equal(alone.paths, forecaster.forecast({"series": candle_frame}, 12, 4)["series"].paths)


def test_turnover_is_derived_as_upstream_does(forecaster: Forecaster, candle_frame: pd.DataFrame) -> None:
    derived = candle_frame.volume * candle_frame[FEATURES[:4]].mean(axis=1)
    by_hand = forecaster.forecast({"A": candle_frame.assign(amount=derived)}, 12, 4)["A"]
    forecast = forecaster.forecast({"A": candle_frame.drop(columns="amount")}, 12, 4)["A"]
    np.testing.assert_allclose(forecast.paths, by_hand.paths, rtol=1e-6)
    assert forecast.columns == FEATURES
    assert forecast.notes == ("A: no turnover; it is volume × mean(open, high, low, close), as in upstream",)


@pytest.mark.parametrize("missing", [["volume"], ["volume", "amount"]])
def test_without_volume_both_are_zero_as_in_upstream(
    forecaster: Forecaster, candle_frame: pd.DataFrame, missing: list[str]
) -> None:
    zeros = forecaster.forecast({"A": candle_frame.assign(volume=0.0, amount=0.0)}, 12, 4)["A"]
    forecast = forecaster.forecast({"A": candle_frame.drop(columns=missing)}, 12, 4)["A"]
    assert np.array_equal(forecast.paths, zeros.paths)
    assert forecast.notes == ("A: no volume; volume and turnover are 0, as in upstream",)


def spoilt(frame: pd.DataFrame, row: int, **values: object) -> pd.DataFrame:
    copy = frame.copy()
    for column, value in values.items():
        copy[column] = copy[column].astype(object) if isinstance(value, str) else copy[column]
        copy.loc[row, column] = value
    return copy


def labelled(frame: pd.DataFrame, times: object) -> pd.DataFrame:
    return frame.assign(timestamps=times)


REFUSED = {
    r"day or month first.*'01/01/2024 00:00' cannot be read as a time for certain": lambda f: labelled(f, f.timestamps.dt.strftime("%d/%m/%Y %H:%M")),
    r"small numbers.*'0' cannot be read.*s, ms, µs or ns since 1970": lambda f: labelled(f, range(40)),
    r"booleans.*'True' cannot be read as a time": lambda f: labelled(f, [True] * 40),
    r"words.*'yesterday' cannot be read as a time": lambda f: labelled(f, "yesterday"),
    r"µs taken for ns.*look like numbers that were read in the wrong unit": lambda f: labelled(f, pd.to_datetime(since_1970(f, "us"))),
    r"ms taken for ns.*look like numbers that were read in the wrong unit": lambda f: f.set_index(pd.DatetimeIndex(since_1970(f, "ms"))),
    r"zones mixed.*not usable as times": lambda f: labelled(f, [pd.Timestamp(t, tz=("UTC", "Asia/Tokyo")[n % 2]) for n, t in enumerate(f.timestamps)]),
    r"a time missing.*row 8 has no time": lambda f: spoilt(f, 8, timestamps=pd.NaT),
    r"a text missing.*row 8 has no time": lambda f: spoilt(labelled(f, f.timestamps.astype(str)), 8, timestamps=None),
    r"no times.*needs a DatetimeIndex or exactly one column called timestamps or timestamp.*, and has none; its columns: open": lambda f: f.drop(columns="timestamps"),
    r"two times.*needs a DatetimeIndex or exactly one column called timestamps or timestamp.*, and has timestamps, date; its columns": lambda f: f.assign(date=f.timestamps),
    r"two volumes.*needs exactly one column called vol or volume, and has volume, vol;": lambda f: f.assign(vol=1.0),
    r"no close.*needs exactly one column called close, and has none;": lambda f: f.drop(columns="close"),
    r"NaN.*candles with a missing or infinite value × 1, the first is 2024-01-02T08:00Z o .* h \? l": lambda f: spoilt(f, 8, high=np.nan),
    r"infinite.*candles with a missing or infinite value × 1, the first is 2024-01-01T04:00Z": lambda f: spoilt(f, 1, close=np.inf),
    r"not positive.*candles with a price of zero or below × 1, the first is 2024-01-01T04:00Z": lambda f: spoilt(f, 1, open=0.0, low=0.0),
    r"high below low.*candles whose open or close lies outside low … high × 40": lambda f: f.rename(columns={"high": "low", "low": "high"}),
    r"negative.*candles with volume or turnover below zero × 1": lambda f: spoilt(f, 3, volume=-1.0),
    r"text.*open is 'ten' in row 0, which is not a number": lambda f: f.assign(open="ten"),
    r"descending.*times must ascend, each once; 2024-01-07T08:00Z follows 2024-01-07T12:00Z": lambda f: f[::-1],
    r"twice.*times must ascend, each once; 2024-01-01T00:00Z follows 2024-01-01T00:00Z": lambda f: f.iloc[[0, 0, 1]],
    r"too few.*1 bars, and 2 are needed": lambda f: f[:1],
    r"none.*0 bars, and 2 are needed": lambda f: f[:0],
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_candles_that_are_ambiguous_or_wrong_are_refused(
    forecaster: Forecaster, candle_frame: pd.DataFrame, case: str
) -> None:
    what, _, message = case.partition(".*")  # the case's name, and the message
    with pytest.raises(DataError, match=f"^{what}: .*{message}"):
        forecaster.forecast({"GOOD": candle_frame, what: REFUSED[case](candle_frame)}, 12)


def test_what_is_no_frame_is_refused(forecaster: Forecaster) -> None:
    with pytest.raises(UsageError, match="A: a pandas DataFrame is expected, and this is a list"):
        forecaster.forecast({"A": [1, 2, 3]}, 12)  # type: ignore[dict-item]


def test_rules_look_at_the_lookback_alone(forecaster: Forecaster, candle_frame: pd.DataFrame) -> None:
    forecaster.forecast(spoilt(candle_frame, 3, volume=-1.0), 4, 1, lookback=30)


FUTURES = {
    "datetimes": lambda times: times,
    "text": lambda times: times.strftime("%Y-%m-%d %H:%M").tolist(),
    "milliseconds": lambda times: times.as_unit("ms").asi8,
    "Python datetimes": lambda times: [datetime(*moment.timetuple()[:6]) for moment in times],
    "one for each series": lambda times: {"A": times, "B": times[:1]},
}


@pytest.mark.parametrize("way", FUTURES)
def test_future_times_are_read_as_those_of_a_frame(forecaster: Forecaster, candles: pd.DataFrame, way: str) -> None:
    times = pd.DatetimeIndex(candles.timestamps[41:45])  # not the step carried on
    forecast = forecaster.forecast({"A": candles[:40]}, 4, 1, future=FUTURES[way](times))["A"]
    assert list(forecast.index) == list(times)


def test_future_times_without_a_zone_are_local_where_the_frame_is(
    forecaster: Forecaster, candles: pd.DataFrame
) -> None:
    local = (
        candles[:40].set_index(pd.DatetimeIndex(candles.timestamps[:40], tz="Asia/Tokyo")).drop(columns="timestamps")
    )
    times = pd.DatetimeIndex(candles.timestamps[41:45])
    assert list(forecaster.forecast(local, 4, 1, future=times).index) == list(times.tz_localize("Asia/Tokyo"))


REFUSED_FUTURES = {
    "3 future times were given for a horizon of 4 bars": lambda t: t[40:43],
    "the first future time, 2024-01-07T12:00Z, is not after the last known bar, 2024-01-07T12:00Z": lambda t: t[39:43],
    "future times must ascend, each once; 2024-01-08T00:00Z follows 2024-01-08T04:00Z": lambda t: t[[40, 43, 42, 44]],
    "future: '08/01/2024' cannot be read as a time for certain": lambda t: ["08/01/2024"] * 4,
    "future: times up to 1970-01-20T17:31:26Z look like numbers": lambda t: pd.DatetimeIndex(t[40:44].as_unit("us").asi8),
    "future= has no times for it; it has B": lambda t: {"B": t[40:44]},
    "future: '2024-01-08' is not a list, an array, a Series or an Index of times": lambda t: "2024-01-08",
    "future: None is not a list": lambda t: {"A": None},
    r"future: a .* is not a list": lambda t: pd.DataFrame({"a": t[40:44], "b": t[40:44]}),
    r"future: array\(.* is not a list": lambda t: t[40:44].to_numpy().reshape(4, 1),
    "future: '2024-01-08T00:00Z' has a time zone and '2024-01-08 04:00' has none": lambda t: ["2024-01-08T00:00Z", "2024-01-08 04:00", "2024-01-08T08:00Z", "2024-01-08T12:00Z"],
    "future: 9999-01-01 00:00:00 lies outside the years 1900 to 2199": lambda t: pd.to_datetime(np.array([f"9999-01-0{day}" for day in range(1, 5)], "M8[s]")),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED_FUTURES)
def test_future_times_that_are_not_usable_are_refused(
    forecaster: Forecaster, candles: pd.DataFrame, message: str
) -> None:
    times = pd.DatetimeIndex(candles.timestamps)
    with pytest.raises(UsageError, match=rf"^A: {message}"):
        forecaster.forecast({"A": candles[:40]}, 4, future=REFUSED_FUTURES[message](times))


def test_uneven_bars_need_a_calendar_or_their_future(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match=r"240 to 480 minutes apart; pass calendar="):
        forecaster.forecast({"A": candles[:40].drop(index=20)}, 4)


def stock(candles: pd.DataFrame, opens: list[pd.Timestamp]) -> pd.DataFrame:
    """The reference candles at other open times."""
    return candles[: len(opens)].drop(columns="timestamps").set_index(pd.DatetimeIndex(opens, name="date"))


def hours(day: str, *clock: str) -> list[pd.Timestamp]:
    return [pd.Timestamp(f"{day} {time}", tz="Asia/Shanghai") for time in clock]


SESSION = ("09:30", "10:30", "13:00", "14:00")


def test_hourly_stock_bars_fall_on_sessions(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    opens = [moment for day in ("2024-06-12", "2024-06-13", "2024-06-14") for moment in hours(day, *SESSION)]
    forecast = forecaster.forecast(stock(candles, opens), 6, 2, calendar="XSHG")
    assert list(forecast.index) == [*hours("2024-06-17", *SESSION), *hours("2024-06-18", *SESSION[:2])]
    assert forecast.notes == ()


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Shanghai"])
def test_daily_stock_bars_are_dates_in_any_zone(
    forecaster: Forecaster, candles: pd.DataFrame, zone: str | None
) -> None:
    """Up to the Spring Festival, and the same paths whichever zone the dates are written in."""
    days = [f"2024-02-0{day}" for day in (1, 2, 5, 6, 7)]
    forecast = forecaster.forecast(stock(candles, [pd.Timestamp(day, tz=zone) for day in days]), 3, 2, calendar="XSHG")
    assert list(forecast.index) == [pd.Timestamp(day, tz=zone) for day in ("2024-02-08", "2024-02-19", "2024-02-20")]
    naive = forecaster.forecast(stock(candles, [pd.Timestamp(day) for day in days]), 3, 2, calendar="XSHG")
    assert np.array_equal(forecast.paths, naive.paths)


def test_a_suspended_day_is_noted(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    days = [pd.Timestamp(f"2024-02-0{day}") for day in (1, 2, 6, 7)]
    forecast = forecaster.forecast({"A": stock(candles, days)}, 1, 2, calendar="XSHG")["A"]
    assert forecast.notes == ("A: 1 bars of XSHG are missing in the history",)


@pytest.mark.parametrize(
    "opens",
    [
        hours("2024-06-15", *SESSION),  # a Saturday
        [moment.tz_localize(None) for moment in hours("2024-06-14", *SESSION)],  # local times, taken for UTC
        [pd.Timestamp("2024-01-01") + pd.Timedelta(weeks=n) for n in range(4)],  # weekly bars are not sessions
    ],
    ids=["a closed day", "local times without a zone", "weeks"],
)
def test_bars_that_are_not_the_calendars_are_refused(
    forecaster: Forecaster, candles: pd.DataFrame, opens: list[pd.Timestamp]
) -> None:
    with pytest.raises(DataError, match="do not open where XSHG has bars"):
        forecaster.forecast({"A": stock(candles, opens)}, 2, calendar="XSHG")


def test_an_unknown_calendar_is_refused(forecaster: Forecaster, candle_frame: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="unknown calendar 'SHANGHAI'"):
        forecaster.forecast(candle_frame, 2, calendar="SHANGHAI")


def test_messages_are_chinese_where_the_user_is(
    forecaster: Forecaster, candle_frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRONOS_LANG", "zh")
    with pytest.raises(DataError, match="无法确定为时间"):
        forecaster.forecast(labelled(candle_frame, candle_frame.timestamps.dt.strftime("%d/%m/%Y")), 2)


NUMBERS = {
    "objects": lambda f: f.astype(dict.fromkeys(FEATURES, object)),
    "decimals": lambda f: f.assign(**{name: [Decimal(str(value)) for value in f[name]] for name in FEATURES}),
    "text": lambda f: f.astype(dict.fromkeys(FEATURES, str)),
    "categories": lambda f: f.astype(dict.fromkeys(FEATURES, "category")),
    "pyarrow's doubles": lambda f: f.astype(dict.fromkeys(FEATURES, "double[pyarrow]")),
    "nullable numbers": lambda f: f.astype(dict.fromkeys(FEATURES, "Float64")),
    "times as categories": lambda f: f.assign(timestamps=f.timestamps.astype("category")),
    "times of pyarrow": lambda f: f.assign(timestamps=f.timestamps.astype("timestamp[ns][pyarrow]")),
    "periods": lambda f: f.assign(timestamps=pd.period_range(f.timestamps[0], periods=len(f), freq="4h")),
}  # fmt: skip


@pytest.mark.parametrize("way", NUMBERS)
def test_numbers_and_times_of_any_type_give_the_same_paths(
    forecaster: Forecaster, candle_frame: pd.DataFrame, expected: Forecast, way: str
) -> None:
    assert np.array_equal(forecaster.forecast({"A": NUMBERS[way](candle_frame)}, 12, 4)["A"].paths, expected.paths)


NO_NUMBERS = {
    "volume is True in row 0": lambda f: f.assign(volume=f.volume > 0),
    "volume is True in row 3": lambda f: f.assign(volume=f.volume.astype(object).where(f.index != 3, other=True)),
    "volume is .183.911368.0j. in row 0": lambda f: f.assign(volume=f.volume.astype(complex)),
    "volume is Timestamp.* in row 0": lambda f: f.assign(volume=f.timestamps),
    "volume is Timedelta.* in row 0": lambda f: f.assign(volume=pd.to_timedelta(range(40), unit="s")),
    "volume is b'1' in row 0": lambda f: f.assign(volume=[b"1"] * 40),
    "volume is 1000.*000 in row 0": lambda f: f.assign(volume=[10**400] * 40),
    "volume is .1. in row 0": lambda f: f.assign(volume=[[1]] * 40),
    "volume is '1,000' in row 0": lambda f: f.assign(volume=["1,000"] * 40),
    "candles with a missing or infinite value": lambda f: f.assign(volume=f.volume.astype(object).where(f.index != 3, pd.NA)),
}  # fmt: skip


@pytest.mark.parametrize("message", NO_NUMBERS)
def test_what_is_no_number_is_refused_with_its_value(
    forecaster: Forecaster, candle_frame: pd.DataFrame, message: str
) -> None:
    with pytest.raises(DataError, match=f"^A: {message}"):
        forecaster.forecast({"A": NO_NUMBERS[message](candle_frame)}, 4)


NO_TIMES = {
    "timestamps: 'inf' cannot be read": lambda f: [*since_1970(f, "ms").astype(float)[:-1], np.inf],
    "timestamps: '10000.*' cannot be read": lambda f: [*since_1970(f, "ms").astype(float)[:-1], 1e300],
    "timestamps: 0001-01-01 00:00:00 lies outside the years 1900 to 2199": lambda f: [datetime(1, 1, day) for day in range(1, 31)] + [datetime(1, 2, day) for day in range(1, 11)],
    "timestamps: 33658-09-27 01:46:40 lies outside": lambda f: (10**15 + np.arange(40) * 1000).astype("M8[ms]"),
    "timestamps: 3168875820-09-06 09:46:40 lies outside": lambda f: (10**17 + np.arange(40)).astype("M8[s]"),
    "timestamps: '2024-01-01T00:00Z' has a time zone and '2024-01-01 04:00' has none": lambda f: ["2024-01-01T00:00Z", "2024-01-01 04:00"] * 20,
}  # fmt: skip


@pytest.mark.parametrize("message", NO_TIMES)
def test_times_that_no_candle_has_are_refused(forecaster: Forecaster, candle_frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=f"^A: {message}"):
        forecaster.forecast({"A": candle_frame.assign(timestamps=NO_TIMES[message](candle_frame))}, 4)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (pl.DataFrame({"open": [1.0]}), r"series: a pandas DataFrame is expected, and this is a polars.DataFrame; .*to_pandas"),
        ([pd.DataFrame()], "series: .* this is a list; pass a DataFrame, or a dict with one for each series"),
        (pd.Series([1.0]), "series: .* this is a pandas.Series"),
        ({1: None}, "The key 1 cannot name a series"),
        ({("A", "B"): None}, r"The key \('A', 'B'\) cannot name a series"),
        ({"A\nB": None}, r"The key 'A\\nB' cannot name a series"),
        ({"\ud800": None}, r"The key '\\ud800' cannot name a series"),
    ],
    ids=["polars", "list", "column", "number", "tuple", "lines", "surrogate"],
)  # fmt: skip
def test_what_is_not_a_frame_or_a_key_is_refused(forecaster: Forecaster, frames: object, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        forecaster.forecast(frames, 4)  # type: ignore[call-overload]


def test_a_message_about_columns_names_twenty_of_them(forecaster: Forecaster) -> None:
    with pytest.raises(DataError, match=r"its columns: x0, .*, x19, …$"):
        forecaster.forecast(pd.DataFrame({f"x{number}": [1.0] for number in range(5000)}), 4)


def test_an_iterator_of_future_times_serves_every_series(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    frame = candles[:40].set_index("timestamps").tz_localize("Asia/Tokyo")
    times = candles.timestamps[40:44]
    forecasts = forecaster.forecast({"A": frame, "B": frame}, 4, 1, future=iter(times))
    assert [list(forecast.index) for forecast in forecasts.values()] == [list(times.dt.tz_localize("Asia/Tokyo"))] * 2


@pytest.mark.parametrize("time", ["2024-03-31 02:30", "2024-10-27 02:30"])
def test_local_future_times_that_clocks_skip_or_repeat_are_refused(
    forecaster: Forecaster, candles: pd.DataFrame, time: str
) -> None:
    opens = pd.date_range(end=pd.Timestamp(time[:10], tz="Europe/Berlin"), periods=40, freq="4h")
    frame = candles[:40].drop(columns="timestamps").set_index(opens)
    with pytest.raises(UsageError, match=f"^A: future: {time}:00 is skipped or occurs twice in Europe/Berlin"):
        forecaster.forecast({"A": frame}, 1, future=[time])
