"""Which column is which, and what its values are."""

from pathlib import Path

import pytest

from kronosforge.config import SourceConfig
from kronosforge.core.bars import series
from kronosforge.core.errors import SourceError
from kronosforge.source.files.folder import FilesSource

TIMES = [1735228800000 + i * 14_400_000 for i in range(3)]


def read(folder: Path, header: str, row: str, name: str = "BTC-USDT-SWAP_4H"):
    """`row` stands below each of three times."""
    (folder / f"{name}.csv").write_text("\n".join([header, *(f"{ts},{row}" for ts in TIMES)]))
    return FilesSource(folder, SourceConfig()).read(series(name))


@pytest.mark.parametrize(
    "header,row,name,volumes",
    [
        ("ts,open,high,low,close,vol,volCcy,volCcyQuote,confirm", "10,12,9,11,700,7,77,1", "A-B-SWAP_4H", (7, 77, "exchange")),
        ("ts,open,high,low,close,vol,volCcy,volCcyQuote,confirm", "10,12,9,11,7,77,77,1", "A-B_4H", (7, 77, "exchange")),
        ("ts,open,high,low,close,vol,volCcy,confirm", "10,12,9,11,7,77,1", "A-B_4H", (7, 77, "exchange")),
        ("ts,open,high,low,close,vol,volCcy,confirm", "10,12,9,11,700,7,1", "A-B-250328_4H", (7, 73.5, "derived")),
        ("timestamps,open,high,low,close,volume,amount", "10,12,9,11,7,77", "X_4H", (7, 77, "exchange")),
        ("datetime,open,high,low,close,vol,amt", "10,12,9,11,7,77", "X_4H", (7, 77, "exchange")),
        ("startTime,Open,High,Low,Close,Volume,Turnover", "10,12,9,11,7,77", "X_4H", (7, 77, "exchange")),
        ("open_time,open,high,low,close,volume,quote_volume", "10,12,9,11,7,77", "X_4H", (7, 77, "exchange")),
        ("date,symbol,open,high,low,close,volume_btc,volume", "BTCUSD,10,12,9,11,7,77", "BTCUSD_4H", (7, 77, "exchange")),
        ("date,symbol,open,high,low,close,Volume USDT,Volume BTC", "BTCUSDT,10,12,9,11,77,7", "BTCUSDT_4H", (7, 77, "exchange")),
        ("ts,low,high,close,open,vol", "9,12,11,10,7", "X_4H", (7, 73.5, "derived")),
        ("ts,open,high,low,close,vol,amt", "10,12,9,11,7,", "X_4H", (7, 73.5, "derived")),
        ("日期,开盘,最高,最低,收盘,成交量,成交额", "10,12,9,11,7,77", "X_4H", (7, 77, "exchange")),
        ("ts,,open,high,low,close,vol", "0,10,12,9,11,7", "X_4H", (7, 73.5, "derived")),  # pandas' row number
    ],
)  # fmt: skip
def test_spellings(tmp_path, header, row, name, volumes) -> None:
    candles = read(tmp_path, header, row, name)
    assert candles.drop("confirm", strict=False).row(0) == (TIMES[0], 10, 12, 9, 11, *volumes)


@pytest.mark.parametrize(
    "header,row,reason",
    [
        (
            "ts,open,high,low,close",
            "1,1,1,1",
            r"line 1: no column for vol among .*; use one of these names: vol: vol volume",
        ),
        ("date,high,low,close,volume", "1,1,1,1", "no column for open"),
        ("ts,open,high,low,close,vol,rsi14", "1,1,1,1,1,1", "line 1: unknown column 'rsi14'"),
        ("ts,open,high,low,close,vol,volume", "1,1,1,1,1,1", r"columns \['vol', 'volume'\] may mean the same"),
        ("ts,open,high,low,close,vol,amount,turnover", "1,1,1,1,1,1,1", r"columns \['amount', 'turnover'\] may mean"),
        ("ts,open,high,low,close,vol,Open", "1,1,1,1,1,1", r"columns \['open', 'Open'\] may mean"),
        ("ts,open,high,low,close,vol,vol", "1,1,1,1,1,1", "two columns are named 'vol'"),
        ("ts,open,high,low,close,volume_eth", "1,1,1,1,1", r"\['volume_eth'\] may mean"),
        ("1735228800000,1.0,1,1,1,1", "1,1,1,1,1", "line 1: holds values instead of column names"),
        ("2024-01-01 00:00:00,1.0,1,1,1,1", "1,1,1,1,1", "line 1: holds values instead of column names"),
    ],
)
def test_columns_that_are_not_certain_are_refused(tmp_path, header, row, reason) -> None:
    with pytest.raises(SourceError, match=reason):
        read(tmp_path, header, row)


@pytest.mark.parametrize(
    "name,header",
    [
        ("BTCUSDT_4H", "ts,open,high,low,close,vol,volCcy,volCcyQuote"),  # spot or not?
        ("BTC-USDT-SWAP_4H", "ts,open,high,low,close,vol,volCcyQuote,confirm"),  # contracts only
    ],
)
def test_okx_columns_need_an_okx_instrument_and_coins(tmp_path, name, header) -> None:
    with pytest.raises(SourceError, match="cannot tell which column is the volume in coins"):
        read(tmp_path, header, "1,1,1,1,1,1,1", name)


@pytest.mark.parametrize("value", ["1.234,5", "abc", "0x10", "1_000", "--"])
def test_what_is_no_number_is_refused_with_its_line(tmp_path, value) -> None:
    value = f'"{value}"' if "," in value else value
    rows = [f"{TIMES[0]},1,1,1,1,1", f"{TIMES[1]},1,1,1,{value},1"]
    (tmp_path / "X_4H.csv").write_text("\n".join(["ts,open,high,low,close,vol", *rows]))
    with pytest.raises(SourceError, match=r"X_4H\.csv, line 3: close .* is not a number"):
        FilesSource(tmp_path, SourceConfig()).read(series("X_4H"))


@pytest.mark.parametrize("value", ["", "NaN", "null", "None", " ", "N/A"])
def test_what_says_that_there_is_no_number_is_nan(tmp_path, value) -> None:
    candles = read(tmp_path, "ts,open,high,low,close,vol,amt", f"1,1,1,{value},1,1")
    assert candles["close"].is_nan().all()
    assert candles["close"].null_count() == 0


def test_infinite_and_impossible_bars_stay_for_the_clean_stage(tmp_path) -> None:
    row = read(tmp_path, "ts,open,high,low,close,vol,amt", "-1,inf,9e9,0,-5,-inf").row(0)
    assert row[1:7] == (-1, float("inf"), 9e9, 0, -5, -float("inf"))


@pytest.mark.parametrize(
    "spelling,finished", [("1", True), ("True", True), ("1.0", True), ("0", False), ("false", False)]
)
def test_confirm(tmp_path, spelling, finished) -> None:
    candles = read(tmp_path, "ts,open,high,low,close,vol,confirmed", f"1,1,1,1,1,{spelling}")
    assert candles["confirm"].to_list() == [finished] * 3


@pytest.mark.parametrize("spelling", ["", "2", "yes?"])
def test_a_confirm_that_says_neither_is_refused(tmp_path, spelling) -> None:
    with pytest.raises(SourceError, match=r"line 2: confirm .* does not say whether the bar is finished"):
        read(tmp_path, "ts,open,high,low,close,vol,confirm", f"1,1,1,1,1,{spelling}")


def test_a_second_symbol_in_a_file_is_refused_with_its_line(tmp_path) -> None:
    rows = [f"{ts},{symbol},1,1,1,1,1" for ts, symbol in zip(TIMES, ["BTC", "BTC", "ETH"], strict=True)]
    (tmp_path / "BTC_4H.csv").write_text("\n".join(["ts,symbol,open,high,low,close,vol", *rows]))
    with pytest.raises(SourceError, match="line 4: symbol changes from 'BTC' to 'ETH'; write one file per series"):
        FilesSource(tmp_path, SourceConfig()).read(series("BTC_4H"))


def test_two_time_columns_must_agree(tmp_path) -> None:
    header = "unix,date,open,high,low,close,vol"
    rows = ["1735228800,2024-12-26 16:00:00,1,1,1,1,1", "1735243200,2024-12-26 20:00:00,1,1,1,1,1"]
    (tmp_path / "X_4H.csv").write_text("\n".join([header, *rows]))
    assert FilesSource(tmp_path, SourceConfig()).read(series("X_4H"))["ts"].to_list() == TIMES[:2]
    with pytest.raises(SourceError, match="line 2: unix and date hold different times"):
        FilesSource(tmp_path, SourceConfig(timezone="Asia/Shanghai")).read(series("X_4H"))
