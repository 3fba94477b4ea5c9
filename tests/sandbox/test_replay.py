"""Recorded candles: served as the strings that stand in the files."""

import csv
import logging

import pytest

from kronosforge.core.bars import HOUR, Span
from kronosforge.core.errors import SourceError, UsageError
from kronosforge.sandbox import Clock, Replay, Sandbox, build, running, serving
from kronosforge.sandbox.market import OKX_BARS
from kronosforge.sandbox.replay import COLUMNS

from .asking import get

T = 1_700_006_400_000  # a 4H boundary
FOREVER = 2**53


def write(folder, name, *rows, header=COLUMNS, encoding="utf-8"):
    text = "\n".join([",".join(header), *(",".join(map(str, row)) for row in rows)])
    (folder / name).write_text(text + "\n", encoding=encoding)


def candle(at, close="100.50", confirm="1"):
    return [at, "100.0", "101.0", "99.0", close, "5", "0.05", "5.00", confirm]


@pytest.fixture(scope="module")
def recorded(shared):
    with running(replay=shared / "data/okx", rate_limits=False) as server:
        yield server


FILES = [
    "BTC-USD-SWAP_4H",
    "BTC-USD-SWAP_6H",
    "BTC-USD-SWAP_12H",
    "BTC-USD-SWAP_1D",
    "BTC-USDT-SWAP_4H",
    "BTC-USDT-SWAP_1Dutc",
]


@pytest.mark.parametrize("file", FILES)
def test_every_row_of_a_real_file_comes_back_to_the_letter(recorded, shared, file):
    with (shared / f"data/okx/{file}.csv").open(newline="") as lines:
        expected = sorted(list(csv.reader(lines))[1:], key=lambda row: int(row[0]))
    name, _, code = file.rpartition("_")
    served, cursor = [], FOREVER
    while page := get(recorded.url, "/market/history-candles", instId=name, bar=code, after=cursor, limit=300).body[
        "data"
    ]:
        served.extend(page)
        cursor = page[-1][0]
    assert served[::-1] == expected


def test_the_clock_stands_at_the_close_of_the_newest_row(recorded, shared):
    with (shared / "data/okx/BTC-USDT-SWAP_4H.csv").open() as lines:
        newest = int(lines.readlines()[-1].split(",")[0])
    assert get(recorded.url, "/public/time").body["data"] == [{"ts": str(newest + 4 * HOUR)}]


def test_instruments_are_those_of_the_files_with_the_contracts_of_their_rows(recorded):
    listed = get(recorded.url, "/public/instruments", instType="SWAP").body["data"]
    assert [(i["instId"], i["ctType"], i["ctVal"], i["tickSz"]) for i in listed] == [
        ("BTC-USD-SWAP", "inverse", "100", "0.1"),
        ("BTC-USDT-SWAP", "linear", "0.01", "0.1"),
    ]
    assert get(recorded.url, "/public/instruments", instType="SPOT").body["data"] == []


def test_other_files_are_left_out_and_named(shared, caplog):
    with caplog.at_level(logging.INFO, "kronosforge.sandbox"):
        Replay(shared / "data/okx")
    assert "BTC-USDT-SWAP_4H_contracts.csv.gz" in caplog.text
    assert "BTC-USDT-SWAP_1D_utc8_contracts.csv" in caplog.text
    assert "BTC-USDT-SWAP_4H.csv" not in caplog.text


def test_a_file_of_other_columns_is_left_out_and_named(tmp_path, caplog):
    write(tmp_path, "BTC-USDT_4H.csv", candle(T))
    write(tmp_path, "BTC-USDT_1H.csv", [T, 1], header=["ts", "price"])
    with caplog.at_level(logging.INFO, "kronosforge.sandbox"):
        assert [size.code for _, size in Replay(tmp_path).files] == ["4H"]
    assert "BTC-USDT_1H.csv" in caplog.text


def test_rows_of_one_time_are_all_served_the_later_line_first(tmp_path):
    write(tmp_path, "BTC-USDT_4H.csv", candle(T), candle(T + 4 * HOUR, "1.0", "0"), candle(T + 4 * HOUR, "2.0", "0"))
    page = Replay(tmp_path).rows("BTC-USDT", OKX_BARS["4H"], Span(0, FOREVER), 300, FOREVER)
    assert [row[4] for row in page] == ["2.0", "1.0", "100.50"]


def test_a_byte_order_mark_and_any_order_are_understood(tmp_path):
    write(tmp_path, "BTC-USDT_1H.csv", candle(T + HOUR), candle(T), candle(T + 2 * HOUR), encoding="utf-8-sig")
    page = Replay(tmp_path).rows("BTC-USDT", OKX_BARS["1H"], Span(T, T + 2 * HOUR), 300, FOREVER)
    assert [int(row[0]) for row in page] == [T + HOUR, T]


def test_an_earlier_clock_hides_what_was_not_there_yet(tmp_path):
    write(tmp_path, "BTC-USDT_1H.csv", *(candle(T + k * HOUR) for k in range(4)))
    with serving(Sandbox(Replay(tmp_path), Clock(T + 2 * HOUR + 1))) as server:
        page = get(server.url, "/market/candles", instId="BTC-USDT", bar="1H").body["data"]
    assert [(int(row[0]) - T) // HOUR for row in page] == [2, 1, 0]
    assert [row[8] for row in page] == ["0", "1", "1"]


def test_a_bar_that_no_file_has_is_an_empty_page(recorded):
    assert get(recorded.url, "/market/history-candles", instId="BTC-USD-SWAP", bar="1H").body["data"] == []


def test_a_line_that_is_no_candle_is_named(tmp_path):
    write(tmp_path, "BTC-USDT_1H.csv", candle(T), ["1.7e12", 1])
    with pytest.raises(SourceError, match=r"BTC-USDT_1H\.csv:3: expected 9 columns"):
        Replay(tmp_path)


def test_a_folder_without_candles_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no candles to replay"):
        build(replay=tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        build(replay=tmp_path / "absent")
