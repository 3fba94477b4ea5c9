"""Every file of real candles is read right, or refused for the right reason. Truths: shared/data/README.md."""

import asyncio
import gzip
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kronosforge.config import SourceConfig
from kronosforge.core.bars import Span, instant, iso, series
from kronosforge.core.candles import SCHEMA
from kronosforge.core.errors import NoDataError, SourceError
from kronosforge.source.files.folder import FilesSource


@pytest.fixture(scope="module")
def data(shared: Path) -> Path:
    return shared / "data"


def read(folder: Path, key: str, **config: str) -> pl.DataFrame:
    return FilesSource(folder, SourceConfig.model_validate(config)).read(series(key))


def alone(path: Path, folder: Path, name: str) -> Path:
    shutil.copy(path, folder / name)
    return folder


# folder, key, config, rows, first row's time, last row's time, origin, unfinished rows (None: the file does not say)
FILES = [
    ("okx", "BTC-USDT-SWAP_4H", {}, 5056, "2023-12-27T12:00Z", "2026-04-18T00:00Z", "exchange", 0),
    ("okx", "BTC-USDT-SWAP_1D", {}, 842, "2023-12-28T00:00Z", "2026-04-17T00:00Z", "exchange", 0),
    ("okx", "BTC-USDT-SWAP_1D@UTC+8", {}, 2379, "2019-11-27T16:00Z", "2026-06-01T16:00Z", "derived", 1),
    ("okx", "BTC-USD-SWAP_4H", {}, 70, "2024-12-26T16:00Z", "2025-01-07T00:00Z", "exchange", 2),
    ("okx", "BTC-USD-SWAP_6H@UTC+8", {}, 70, "2024-12-20T22:00Z", "2025-01-06T22:00Z", "exchange", 2),
    ("okx", "BTC-USD-SWAP_12H@UTC+8", {}, 70, "2024-12-03T16:00Z", "2025-01-06T16:00Z", "exchange", 2),
    ("okx", "BTC-USD-SWAP_1D@UTC+8", {}, 70, "2024-10-30T16:00Z", "2025-01-06T16:00Z", "exchange", 2),
    ("binance", "BTCUSDT_4H", {}, 17589, "2018-01-01T00:00Z", None, "exchange", None),
    ("binance", "BTCUSDT_1D", {}, 2935, "2018-01-01T00:00Z", "2026-01-13T00:00Z", "exchange", None),
    ("binance", "ETHUSDT_1H", {}, 57511, "2017-08-17T04:00Z", "2024-03-14T18:00Z", "derived", None),
    ("bybit", "BTCUSDT_1H", {}, 1000, "2025-09-11T08:00Z", "2025-10-22T23:00Z", "exchange", None),
    ("bybit", "1000PEPEUSDT_1H", {}, 1000, "2025-09-11T08:00Z", "2025-10-22T23:00Z", "exchange", None),
    ("coinbase", "BTCUSD_1H", {}, 20111, "2019-10-17T09:00Z", "2017-07-01T11:00Z", "exchange", None),
    ("ashare", "600977_5m", {"label": "close", "timezone": "Asia/Shanghai"}, 2500, "2024-06-18T03:10Z", "2024-08-29T03:25Z", "exchange", None),
    ("ashare", "600519_1D", {"timezone": "Asia/Shanghai"}, 4071, "2005-01-04T00:00Z", "2021-09-30T00:00Z", "derived", None),
    ("us", "aapl_1D", {}, 5849, "1998-01-02T00:00Z", "2021-03-31T00:00Z", "derived", None),
]  # fmt: skip


@pytest.mark.parametrize("case", FILES, ids=[case[1] for case in FILES])
def test_rows_times_and_origin(data, case) -> None:
    folder, key, config, rows, first, last, origin, unfinished = case
    candles = read(data / folder, key, **config)
    assert candles.drop("confirm", strict=False).schema == SCHEMA
    assert candles.height == rows
    assert iso(candles["ts"][0]) == first
    assert candles["ts"][-1] == (last and instant(last))
    assert candles["provenance"].unique().to_list() == [origin]
    assert ((~candles["confirm"]).sum() if "confirm" in candles.columns else None) == unfinished


@pytest.mark.parametrize("folder,name,key", [
    ("okx", "BTC-USDT-SWAP_4H_contracts.csv.gz", "BTC-USDT-SWAP_4H"),
    ("binance", "BTCUSDT_4h_stale_bars.csv.gz", "BTCUSDT_4H"),
    ("us", "AET-L-1d-100x-error.csv", "AET-L_1D"),
    ("us", "AET-L-1d-100x-error-fixed.csv", "AET-L_1D"),
])  # fmt: skip
def test_a_file_that_shares_its_folder_is_read_where_it_stands_alone(data, tmp_path, folder, name, key) -> None:
    candles = read(alone(data / folder / name, tmp_path, name), key)
    rows = {"BTC-USDT-SWAP_4H": 14329, "BTCUSDT_4H": 15885, "AET-L_1D": 23}[key]
    assert candles.height == rows
    assert candles["ts"].null_count() == 0


@pytest.mark.parametrize("name", ["BTC-USDT-SWAP_4H", "BTC-USDT-SWAP_1Dutc"])
def test_every_value_of_an_okx_swap(data, name) -> None:
    candles = read(data / "okx", name.removesuffix("utc"))
    raw = pl.read_csv(data / "okx" / f"{name}.csv")
    for field, column in {"ts": "ts", "open": "open", "high": "high", "low": "low", "close": "close", "vol": "volCcy", "amt": "volCcyQuote"}.items():  # fmt: skip
        assert candles[field].to_list() == raw[column].to_list()


def test_okx_turnover_per_coin_lies_in_the_bar(data) -> None:
    candles = read(data / "okx", "BTC-USD-SWAP_4H").filter("confirm")
    assert candles.select(((pl.col("amt") / pl.col("vol")).is_between("low", "high")).all()).item()


def test_both_polls_of_the_unfinished_bar_stay_in_file_order(data) -> None:
    last = read(data / "okx", "BTC-USD-SWAP_4H").tail(2)
    assert last["close"].to_list() == [102571.7, 102550.2]
    assert last["ts"].n_unique() == 1
    assert last["confirm"].to_list() == [False, False]


def test_contracts_keep_their_unit_and_derive_turnover(data, tmp_path) -> None:
    first = read(alone(data / "okx/BTC-USDT-SWAP_4H_contracts.csv.gz", tmp_path, "X_4H.csv.gz"), "X_4H").row(
        0, named=True
    )
    assert first["vol"] == 246552
    assert first["amt"] == pytest.approx(246552 * (7080 + 7099.8 + 7052.7 + 7052.7) / 4)
    assert (first["provenance"], first["confirm"]) == ("derived", True)


def test_binance_takes_quote_volume_and_keeps_strayed_bars_where_they_stand(data) -> None:
    candles = read(data / "binance", "BTCUSDT_4H")
    assert candles.row(1107, named=True) | {"provenance": None} == {
        "ts": instant("2018-07-06"), "open": 108700.0, "high": 109111.0, "low": 108518.83, "close": 108888.0,
        "vol": 1086.39121, "amt": 118286241.0017868, "provenance": None,
    }  # fmt: skip
    assert candles.filter(ts=instant("2018-07-06")).height == 2


def test_binance_row_without_a_time_is_kept_without_one(data) -> None:
    candles = read(data / "binance", "BTCUSDT_4H")
    assert candles["ts"].null_count() == 1
    assert candles.row(-1)[:2] == (None, 91664.99)


def test_coinbase_preamble_half_days_and_dollars(data) -> None:
    candles = read(data / "coinbase", "BTCUSD_1H")
    assert candles.row(0)[:7] == (instant("2019-10-17T09:00Z"), 8051.0, 8056.83, 8021.23, 8035.88, 61.25, 492394.56)
    assert (candles["ts"].diff().drop_nulls() < 0).sum() > 20000, "newest first"
    noon, midnight = instant("2017-07-01T12:00Z"), instant("2017-07-02T00:00Z")
    assert candles.filter(ts=noon)["close"].to_list() == [2488.43]
    assert candles.filter(ts=midnight).height == 1


def test_coinbase_preamble_says_utc_whatever_the_config_says(data) -> None:
    plain, elsewhere = read(data / "coinbase", "BTCUSD_1H"), read(data / "coinbase", "BTCUSD_1H", timezone="Asia/Tokyo")
    assert plain.equals(elsewhere)


def test_shanghai_five_minutes_step_over_lunch_once_shifted_to_opens(data) -> None:
    candles = read(data / "ashare", "600977_5m", label="close", timezone="Asia/Shanghai")
    minutes = {iso(ts)[11:16] for ts in candles["ts"]}
    assert {"03:25", "05:00"} < minutes, "11:25 and 13:00 in Shanghai open bars"
    assert not {"03:30", "07:00"} & minutes, "11:30 and 15:00 close them"
    assert candles.row(0)[1:7] == (11.27, 11.28, 11.26, 11.27, 379.0, 427161.0)


def test_shanghai_days_are_session_dates_in_any_zone(data) -> None:
    assert read(data / "ashare", "600519_1D").equals(read(data / "ashare", "600519_1D", timezone="Asia/Shanghai"))
    assert read(data / "ashare", "600519_1D").row(0)[1:6] == (36.4, 36.8, 36.0, 36.45, 234881.0)


def test_lean_prices_are_divided(data) -> None:
    candles = read(data / "us", "aapl_1D")
    assert candles.row(0)[1:6] == (13.63, 16.25, 13.5, 16.25, 6315000.0)
    assert candles.row(-1)[1:6] == (121.65, 123.54, 121.15, 122.15, 109019052.0)
    split = candles.filter(pl.col("ts") == instant("2020-08-31"))["open"][0] / candles.filter(pl.col("ts") == instant("2020-08-28"))["close"][0]  # fmt: skip
    assert split == pytest.approx(0.25, rel=0.05), "unadjusted: the 4:1 split of 2020-08-31 is a jump"


def test_london_days_with_summer_offsets_are_session_dates(data, tmp_path) -> None:
    candles = read(alone(data / "us/AET-L-1d-100x-error.csv", tmp_path, "AET-L_1D.csv"), "AET-L_1D")
    assert [iso(ts) for ts in candles["ts"][:2]] == ["2022-06-06T00:00Z", "2022-06-01T00:00Z"]
    assert candles["close"][0] == 0.14550000429153442


def test_two_equally_named_files_are_refused_by_name(data) -> None:
    with pytest.raises(SourceError, match=r"AET-L-1d-100x-error-fixed\.csv, AET-L-1d-100x-error\.csv"):
        read(data / "us", "AET-L_1D")


def test_split_factors_are_no_candles(data, tmp_path) -> None:
    with pytest.raises(NoDataError, match="found AET-L_1D, aapl_1D"):
        read(data / "us", "AAPL_1D")
    with pytest.raises(SourceError, match=r"aapl_1D\.csv, line 1: holds values instead of column names"):
        read(alone(data / "us/aapl_factor_files.csv", tmp_path, "aapl_1D.csv"), "aapl_1D")


@pytest.mark.parametrize("folder,key,advice", [
    ("okx", "BTC-USD-SWAP_6H", "6H@UTC\\+8"),
    ("okx", "BTC-USD-SWAP_12H", "12H@UTC\\+8"),
    ("okx", "BTC-USD-SWAP_1D", "1D@UTC\\+8"),
    ("binance", "BTCUSDT_1D@UTC+8", "1D"),
])  # fmt: skip
def test_the_other_day_is_refused_and_named(data, folder, key, advice) -> None:
    with pytest.raises(SourceError, match=rf"line 2: its rows.*they are {advice};"):
        read(data / folder, key)


def test_the_other_bar_is_refused_and_named(data, tmp_path) -> None:
    alone(data / "bybit/BTCUSDT_1h.csv", tmp_path, "BTCUSDT_4H.csv")
    alone(data / "okx/BTC-USDT-SWAP_4H.csv", tmp_path, "BTC-USDT-SWAP_1H.csv")
    for key, match in {"BTCUSDT_4H": "they are 1H", "BTC-USDT-SWAP_1H": "they are 4H"}.items():
        with pytest.raises(SourceError, match=match):
            read(tmp_path, key)


def test_the_clock_is_the_close_of_the_newest_finished_bar(data) -> None:
    def clock(folder: str) -> str:
        return iso(asyncio.run(FilesSource(data / folder, SourceConfig()).now()))

    assert clock("okx") == "2026-06-01T16:00Z", "the day of 2026-06-01T16:00Z is unfinished"
    assert clock("bybit") == "2025-10-23T00:00Z"
    assert clock("us") == "2021-04-01T00:00Z", "files that are refused do not count"


def test_batches_hold_the_span_and_know_the_beginning(data) -> None:
    source = FilesSource(data / "okx", SourceConfig())
    key, day = series("BTC-USDT-SWAP_4H"), 86_400_000
    first = instant("2023-12-27T12:00Z")

    def batch(span: Span):
        async def only():
            return [batch async for batch in source.fetch(key, span)]

        (only_batch,) = asyncio.run(only())
        return only_batch

    for start, stop in pairwise([first - day, first, first + day]):
        span = Span(start, stop)
        assert batch(span).span == span
        assert np.array_equal(batch(span).candles["ts"], np.arange(max(start, first), stop, key.bar.length))
        assert batch(span).oldest
    assert not batch(Span(first + 1, first + day)).oldest


def test_newest_first_reads_the_same_candles(data, tmp_path) -> None:
    head, *rows = gzip.decompress((data / "binance/ETHUSDT_1h_gaps.csv.gz").read_bytes()).decode().splitlines()
    (tmp_path / "ETHUSDT_1H.csv").write_text("\n".join([head, *rows[::-1]]))
    assert read(tmp_path, "ETHUSDT_1H").reverse().equals(read(data / "binance", "ETHUSDT_1H"))
