"""What times are read as: one instant from every spelling, or a refusal that names the line."""

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.core.bars import DAY, HOUR, bar, instant
from kronosforge.core.errors import SourceError
from kronosforge.source.files.formats import Table
from kronosforge.source.files.grid import opens
from kronosforge.source.files.times import parse


def table(*times: object, utc: bool = False) -> Table:
    return Table("X.csv", pl.DataFrame({"time": list(times)}), first=2, utc=utc)


def read(*times: object, zone: str = "UTC") -> list[int | None]:
    return parse(table(*times), "time", zone).ts.to_list()


NOON = instant("2024-02-29T12:00Z")


@pytest.mark.parametrize(
    "text",
    [
        str(NOON // 1000), str(NOON), f"{NOON}000", f"{NOON}000000", f"{NOON}.0", f" {NOON} ",
        "2024-02-29 12:00", "2024-02-29T12:00:00", "2024-02-29 12:00:00.000000 ", "2024-02-29 12:00:00.000000 UTC",
        "2024-02-29T12:00:00Z", "2024-02-29T20:00:00+08:00", "2024-02-29 07:00:00-0500", "2024-02-29 13:00+01",
        "2024/02/29 12:00", "2024/2/29 12:00", "20240229 12:00", "2024-02-29 12-PM", "2024-02-29 12:00:00 PM",
        "2024-02-29 12:00:00.0009", "2024-02-29 12",
    ],
)  # fmt: skip
def test_one_instant_in_many_spellings(text: str) -> None:
    assert read(text) == [NOON]


@pytest.mark.parametrize(
    "values",
    [
        [NOON], [NOON // 1000], [float(NOON)], [datetime(2024, 2, 29, 12)], [datetime(2024, 2, 29, 12, tzinfo=UTC)],
        [datetime(2024, 2, 29, 20, tzinfo=timezone(timedelta(hours=8)))],
    ],
)  # fmt: skip
def test_typed_columns(values: list[object]) -> None:
    assert read(*values) == [NOON]


def test_midnight_and_noon_of_half_days() -> None:
    assert read("2024-01-01 12-AM", "2024-01-01 01-AM", "2024-01-01 12-PM", "2024-01-01 11-PM") == [
        instant("2024-01-01") + hour * HOUR for hour in (0, 1, 12, 23)
    ]


def test_dates_are_midnights() -> None:
    assert read("20240131", "2024-01-31", "2024/1/31") == [instant("2024-01-31")] * 3
    assert parse(table("20240131"), "time", "UTC").dates
    assert not parse(table("20240131", "20240131 00:00"), "time", "UTC").dates


def test_blank_times_are_null() -> None:
    assert read("", "2024-01-31", None, "NaT", " ") == [None, instant("2024-01-31"), None, None, None]


@pytest.mark.parametrize(
    "text",
    [
        "31/01/2024", "01-31-2024", "2024-13-01", "2024-02-30", "2023-02-29", "2024-01-31 24:00", "2024-01-31 12:60",
        "2024-01-31 13-PM", "2024-01-31 00-AM", "2024-01-31 12:00 +25:00", "2024-01-31 12:00 CET", "1899-12-31", "12:00",
        "12345", "99999999999999999999", "-1735228800000", "1.7e12", "2024", "tomorrow", "20241301",
    ],
)  # fmt: skip
def test_what_is_no_certain_time_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(SourceError, match=r"X\.csv, line 3: time .* is not an unambiguous time"):
        read("2024-01-31", text)


def test_naive_times_are_in_the_zone_asked_for_and_offsets_are_not() -> None:
    assert read("2024-02-29 20:00", "2024-02-29T12:00Z", zone="Asia/Shanghai") == [NOON, NOON]
    assert read(datetime(2024, 2, 29, 20), zone="Asia/Shanghai") == [NOON]
    assert read("2024-07-01 13:00", "2024-12-01 12:00", zone="Europe/London") == [
        instant("2024-07-01T12:00Z"), instant("2024-12-01T12:00Z"),
    ]  # fmt: skip


def test_a_file_that_says_utc_is_in_utc() -> None:
    assert parse(table("2024-02-29 12:00", utc=True), "time", "Asia/Shanghai").ts.to_list() == [NOON]


@pytest.mark.parametrize("text", ["2024-03-31 01:30", "2024-10-27 01:30"])
def test_local_times_that_clocks_skip_or_repeat_are_refused(text: str) -> None:
    with pytest.raises(SourceError, match=r"line 3: time .* does not exist or occurs twice in Europe/London"):
        read("2024-01-31 00:00", text, zone="Europe/London")
    assert read(text)


@given(st.integers(instant("1990-01-01"), instant("2099-01-01")).map(lambda ms: ms // 1000 * 1000))
def test_all_spellings_agree(ms: int) -> None:
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    east = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    spellings = [
        str(ms), str(ms // 1000), f"{ms}000", moment.isoformat(), moment.strftime("%Y-%m-%d %H:%M:%S"),
        moment.strftime("%Y/%m/%d %H:%M:%S UTC"), east.isoformat(), moment.strftime("%Y%m%d %H:%M:%S"),
        moment.strftime("%Y-%m-%d %I:%M:%S %p"),
    ]  # fmt: skip
    assert set(read(*spellings)) == {ms}


@given(st.text(max_size=40))
def test_any_text_is_an_instant_nothing_or_a_refusal(text: str) -> None:
    try:
        (ts,) = read(text)
    except SourceError:
        return
    assert ts is None or instant("1900-01-01") - DAY <= ts < instant("2200-01-01") + DAY


def days(offset: str, *, weekend: bool) -> list[str]:
    first = datetime(2024, 3, 25)  # a Monday; London's clocks change on the 31st
    dates = [first + timedelta(days=i) for i in range(14)]
    return [f"{d:%Y-%m-%d 00:00:00}{offset}" for d in dates if weekend or d.weekday() < 5]


def opened(times: list[str], code: str, zone: str = "UTC", label: str = "open") -> list[int | None]:
    source = table(*times)
    return opens(source, parse(source, "time", zone), bar(code), label).to_list()


@pytest.mark.parametrize(
    "offset,zone", [("+01:00", "UTC"), ("+08:00", "UTC"), ("-05:00", "UTC"), ("", "Europe/London")]
)
@pytest.mark.parametrize("label", ["open", "close"])
def test_days_of_an_exchange_are_named_by_their_date(offset: str, zone: str, label: str) -> None:
    assert opened(days(offset, weekend=False), "1D", zone, label)[0] == instant("2024-03-25")


@pytest.mark.parametrize("offset,advice", [("+08:00", "they are 1D@UTC\\+8"), ("+01:00", "check source.label")])
def test_local_days_of_a_market_that_never_closes_are_no_utc_days(offset: str, advice: str) -> None:
    with pytest.raises(SourceError, match=advice):
        opened(days(offset, weekend=True), "1D")


def test_hong_kong_days_keep_their_instants() -> None:
    assert opened(days("+08:00", weekend=True), "1D@UTC+8")[0] == instant("2024-03-24T16:00Z")


def test_end_labels_move_one_bar_and_dates_do_not() -> None:
    hours = [f"2024-01-01 {hour:02}:00" for hour in (1, 2, 3)]
    assert opened(hours, "1H", label="close")[0] == instant("2024-01-01")
    assert opened(["2024-01-02", "2024-01-03"], "1D", label="close")[0] == instant("2024-01-02")
    assert opened(["2024-01-02 00:00", "2024-01-03 00:00"], "1D", label="close")[0] == instant("2024-01-01")


def test_bars_of_a_session_may_stand_off_the_clock() -> None:
    session = [f"2024-01-{day:02} {hour}:30" for day in (2, 3, 4) for hour in range(14, 21)]
    assert opened(session, "1H")[0] == instant("2024-01-02T14:30Z")


def test_single_rows_off_the_grid_stay() -> None:
    hours = [f"2024-01-01 {hour:02}:00" for hour in range(9)]
    assert len(opened([*hours, "2024-01-01 09:17"], "1H")) == 10


@pytest.mark.parametrize("step,code", [(1, "4H"), (4, "1H"), (12, "4H"), (4, "1D"), (24, "4H")])
def test_rows_of_another_bar_are_refused(step: int, code: str) -> None:
    times = [str(NOON + i * step * HOUR) for i in range(30)]
    with pytest.raises(SourceError, match=f"are not {code} bars"):
        opened(times, code)


def test_a_file_without_any_time_is_refused() -> None:
    with pytest.raises(SourceError, match="no row has a time"):
        opened(["", ""], "1H")
