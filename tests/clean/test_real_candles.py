"""Real candles: every documented fault is detected, and almost nothing else. Source of the faults: shared/data/README.md."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kronosforge.clean import Cleaned, checks, clean
from kronosforge.config import CleanConfig, SourceConfig
from kronosforge.core.bars import DAY, HOUR, Span, instant, series
from kronosforge.core.errors import DataError
from kronosforge.source.files.folder import FilesSource
from tests.clean.clean_frames import counts


@pytest.fixture(scope="module")
def data(shared: Path) -> Path:
    return shared / "data"


def read(folder: Path, key: str, **config: str) -> pl.DataFrame:
    return FilesSource(folder, SourceConfig.model_validate(config)).read(series(key))


def read_alone(path: Path, folder: Path, key: str) -> pl.DataFrame:
    shutil.copy(path, folder)
    return read(folder, key)


def cleaned(frame: pl.DataFrame, key: str, **settings: object) -> Cleaned:
    ts = frame["ts"].drop_nulls()
    span = Span(int(ts.min()), int(ts.max()) + series(key).bar.length)  # type: ignore[arg-type]
    return clean(frame, series(key), span, CleanConfig.model_validate(settings))


SHANGHAI = {"label": "close", "timezone": "Asia/Shanghai"}
UNFINISHED = {"unfinished": 2, "ends_early": 1}

# folder, key, how to read, settings, findings
FILES = [
    ("okx", "BTC-USDT-SWAP_4H", {}, {}, {}),
    ("okx", "BTC-USDT-SWAP_1D", {}, {}, {}),
    ("okx", "BTC-USD-SWAP_4H", {}, {}, UNFINISHED),
    ("okx", "BTC-USD-SWAP_6H@UTC+8", {}, {}, UNFINISHED),
    ("okx", "BTC-USD-SWAP_12H@UTC+8", {}, {}, UNFINISHED),
    ("okx", "BTC-USD-SWAP_1D@UTC+8", {}, {}, UNFINISHED),
    ("okx", "BTC-USDT-SWAP_1D@UTC+8", {}, {},
     {"unfinished": 1, "unit": 1, "quiet": 6, "silent": 1, "extreme": 2, "ends_early": 1}),
    ("binance", "BTCUSDT_4H", {}, {}, {"no_time": 1, "conflict": 2, "gap": 16}),
    ("binance", "BTCUSDT_1D", {}, {"max_bad_share": 0.1}, {"frozen": 161, "gap": 161, "extreme": 3}),
    ("binance", "ETHUSDT_1H", {}, {}, {"frozen": 2, "gap": 130, "jump": 1, "quiet": 6, "extreme": 1}),
    ("bybit", "BTCUSDT_1H", {}, {}, {}),
    ("bybit", "1000PEPEUSDT_1H", {}, {}, {"extreme": 1}),
    ("coinbase", "BTCUSD_1H", {}, {}, {"order": 20105, "repeated": 10, "frozen": 3, "gap": 13, "quiet": 28}),
    ("ashare", "600977_5m", SHANGHAI, {"calendar": "XSHG", "volume_unit": 100}, {}),
    ("ashare", "600519_1D", SHANGHAI | {"label": "open"}, {"calendar": "XSHG"}, {"jump": 1, "quiet": 68}),
    # Four splits, and the morning of 2000-09-29, when the price halved indeed; three lows that lost a digit.
    ("us", "aapl_1D", {}, {"calendar": "XNYS"}, {"jump": 5, "extreme": 3}),
]  # fmt: skip


@pytest.mark.parametrize("case", FILES, ids=[f[1] for f in FILES])
def test_the_findings_in_each_file(data, case):
    folder, key, config, settings, findings = case
    assert counts(cleaned(read(data / folder, key, **config), key, **settings)) == findings


def test_five_minute_shares_join_over_lunch_night_and_weekend(data):
    out = cleaned(read(data / "ashare", "600977_5m", **SHANGHAI), "600977_5m", calendar="XSHG", volume_unit=100)
    assert len(out.candles) == 2500
    assert out.candles["segment"].max() == 1


def test_shares_counted_in_lots_are_refused(data):
    with pytest.raises(DataError, match=r"100 × the price on 2500 of 2500 .* clean\.volume_unit = 100"):
        cleaned(read(data / "ashare", "600977_5m", **SHANGHAI), "600977_5m", calendar="XSHG")


def test_of_the_bars_filed_under_another_year_none_is_left(data):
    out = cleaned(read(data / "binance", "BTCUSDT_4H"), "BTCUSDT_4H").candles
    days = out.filter(pl.col("ts").is_between(instant("2018-07-05"), instant("2018-07-08"), closed="left"))
    assert len(days) == 18
    assert days["high"].max() < 7000
    assert days["segment"].n_unique() == 1


def test_the_unit_of_volume_changes_where_the_two_files_disagree(data, tmp_path):
    folder = data / "okx"
    key = "BTC-USDT-SWAP_4H"
    hours = cleaned(read_alone(folder / "BTC-USDT-SWAP_4H_contracts.csv.gz", tmp_path, key), key).candles
    days = cleaned(read(folder, "BTC-USDT-SWAP_1D@UTC+8"), "BTC-USDT-SWAP_1D@UTC+8").candles
    first = [frame.filter(pl.col("segment") == 2)["ts"][0] for frame in (hours, days)]
    assert first == [instant("2020-03-19T16:00Z"), instant("2019-12-25T16:00Z")]
    day = ((pl.col("ts") - 16 * HOUR) // DAY * DAY + 16 * HOUR).alias("ts")
    both = days.join(hours.group_by(day).agg(pl.col("vol").sum().alias("sum"), pl.len().alias("n")), on="ts")
    whole = both.filter((pl.col("n") == 6) & (pl.col("vol") > 0) & (pl.col("ts") != instant("2019-12-24T16:00Z")))
    ratio = (whole["sum"] / whole["vol"]).round(1)
    apart = whole["ts"].is_between(first[1], first[0], closed="left")
    assert ratio.filter(apart).unique().to_list() == [100.0]
    assert ratio.filter(~apart).unique().to_list() == [1.0]


def test_prices_a_hundred_times_too_low_are_cut_off(data, tmp_path):
    frame = read_alone(data / "us" / "AET-L-1d-100x-error.csv", tmp_path, "AET-L_1D")
    out = cleaned(frame, "AET-L_1D", calendar="XLON")
    assert counts(out) == {"order": 22, "jump": 2, "quiet": 22}
    assert [len(part) for part in out.candles.partition_by("segment")] == [4, 9, 10]


def test_the_repaired_twin_is_one_segment(data, tmp_path):
    frame = read_alone(data / "us" / "AET-L-1d-100x-error-fixed.csv", tmp_path, "AET-L_1D")
    assert counts(cleaned(frame, "AET-L_1D", calendar="XLON")) == {"order": 22, "quiet": 22}


def test_stale_bars_in_mid_file(data, tmp_path):
    """42 bars differ from the market's own record; one is the last of the file, which nothing follows."""
    frame = read_alone(data / "binance" / "BTCUSDT_4h_stale_bars.csv.gz", tmp_path, "BTCUSDT_4H")
    truth = cleaned(read(data / "binance", "BTCUSDT_4H"), "BTCUSDT_4H").candles
    stale = frame.join(truth.select("ts", right="vol"), on="ts").filter(pl.col("vol") != pl.col("right"))["ts"]
    out = cleaned(frame, "BTCUSDT_4H")
    dropped = frame.filter(~pl.col("ts").is_in(out.candles["ts"].implode()))["ts"]
    assert len(stale) == 42
    assert len(dropped) == 38
    assert dropped.is_in(stale.implode()).all()


def test_days_that_were_saved_in_the_morning(data):
    """Since 2025-07-05 this collector kept each day as it was after a few hours, which the four-hour file shows."""
    days = read(data / "binance", "BTCUSDT_1D")
    with pytest.raises(DataError, match=r"161 of 2935 .*2025-07-05T00:00Z.*until"):
        cleaned(days, "BTCUSDT_1D")
    hours = cleaned(read(data / "binance", "BTCUSDT_4H"), "BTCUSDT_4H").candles
    summed = hours.group_by(pl.col("ts") // DAY * DAY).agg(pl.col("vol").sum().alias("sum"), pl.len().alias("n"))
    short = days.join(summed.filter(pl.col("n") == 6), on="ts").filter(pl.col("vol") < pl.col("sum") * 0.999)["ts"]
    out = cleaned(days, "BTCUSDT_1D", max_bad_share=0.1).candles
    dropped = days.filter(~pl.col("ts").is_in(out["ts"].implode()))["ts"]
    right = dropped.is_in(short.implode())
    assert (len(short), right.sum()) == (167, 160)
    # The other one is the last day but one, of which the four-hour file has not all hours.
    assert dropped.filter(~right).to_list() == [instant("2026-01-12")]


# folder, key, short bars per long bar, least share of the frozen bars that is detected
FROZEN = [
    ("okx", "BTC-USDT-SWAP_4H", 6, 0.9),
    ("bybit", "BTCUSDT_1H", 4, 0.9),
    ("bybit", "1000PEPEUSDT_1H", 4, 0.9),
    ("coinbase", "BTCUSD_1H", 4, 0.85),
    ("binance", "ETHUSDT_1H", 4, 0.35),  # half of it from years in which this market was thin
]


@pytest.mark.parametrize(("folder", "key", "count", "least"), FROZEN, ids=[f[1] for f in FROZEN])
def test_bars_frozen_on_purpose_are_detected_and_others_are_not(data, folder, key, count, least):
    fine = cleaned(read(data / folder, key), key, frozen="keep").candles
    bars, frozen = freeze(fine, series(key).bar.length, count)
    x = checks.Columns.of(bars)
    detected = checks.frozen(x, x.ts // (series(key).bar.length * count), 0.4)
    assert detected[frozen].mean() >= least
    assert (detected & ~frozen).sum() <= len(bars) / 2000


def freeze(fine: pl.DataFrame, length: int, count: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Bars of `count` shorter ones; three in a hundred from fewer, as if saved too early."""
    long = length * count
    parts = fine.with_columns(start=pl.col("ts") // long * long).with_columns(
        n=(pl.col("ts") - pl.col("start")) // length
    )
    starts = parts.group_by("start").len().filter(pl.col("len") == count)["start"].sort()
    random = np.random.default_rng(1)
    frozen = random.random(len(starts)) < 0.03
    upto = np.where(frozen, random.integers(1, count, len(starts)), count)
    kept = parts.join(pl.DataFrame({"start": starts, "upto": upto}), on="start").filter(pl.col("n") < pl.col("upto"))
    bars = kept.group_by("start", maintain_order=True).agg(
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("vol", "amt").sum()
    )  # fmt: skip
    return bars.rename({"start": "ts"}), frozen
