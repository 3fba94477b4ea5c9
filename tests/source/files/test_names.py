"""Which file holds which series."""

from pathlib import Path

import pytest

from kronosforge.core.bars import series
from kronosforge.core.errors import NoDataError, SourceError
from kronosforge.source.files.names import choose, parse


@pytest.mark.parametrize(
    "name,keys",
    [
        ("BTC-USDT-SWAP_4H.csv", ["BTC-USDT-SWAP_4H"]),
        ("BTC-USDT-SWAP_1Dutc.csv", ["BTC-USDT-SWAP_1D"]),
        ("BTC-USDT-SWAP_1D@UTC+8.parquet", ["BTC-USDT-SWAP_1D@UTC+8"]),
        ("BTC-USDT-SWAP_1D_utc8_contracts.csv", ["BTC-USDT-SWAP_1D", "BTC-USDT-SWAP_1D@UTC+8"]),
        ("BTCUSDT_4h_stale_bars.csv.gz", ["BTCUSDT_4H"]),
        ("600977_5min.csv", ["600977_5m"]),
        ("600977_60MIN.CSV", ["600977_1H"]),
        ("aapl_daily.zip", ["aapl_1D", "aapl_1D@UTC+8"]),
        ("AET-L-1d-100x-error.feather", ["AET-L_1D", "AET-L_1D@UTC+8"]),
        ("BVOL-1D-X_4H.csv", ["BVOL-1D-X_4H"]),
        ("BTC_1m.csv", ["BTC_1m"]),
    ],
)
def test_a_name_says_its_series(name: str, keys: list[str]) -> None:
    named = parse(Path(name))
    assert named
    assert [str(s) for s in named.readings] == keys


@pytest.mark.parametrize(
    "name",
    [
        "BTC_1M.csv",  # a month
        "BTC_3M.csv",
        "BTC_7H.csv",  # no bar of ours
        "BTC_4Hours.csv",
        "BTC_4H.json",
        "BTC.csv",
        "_4H.csv",
        "aapl_factor_files.csv",
        "README.md",
    ],
)
def test_a_name_that_says_no_series_is_no_candle_file(name: str) -> None:
    assert parse(Path(name)) is None


def folder_of(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    "names,key,chosen",
    [
        (["X_4H.csv", "X_4H_contracts.csv"], "X_4H", "X_4H.csv"),
        (["X_1D.csv", "X_1Dutc.csv"], "X_1D", "X_1Dutc.csv"),
        (["X_1D.csv", "X_1Dutc.csv"], "X_1D@UTC+8", "X_1D.csv"),
        (["X_1D_old.csv", "X_1Dutc_old.csv"], "X_1D", "X_1Dutc_old.csv"),
        (["X_4H_old.csv", "XY_4H.csv", "X_1H.csv", "X-Y_4H.csv"], "X_4H", "X_4H_old.csv"),
    ],
)
def test_the_plainest_name_is_chosen(tmp_path: Path, names: list[str], key: str, chosen: str) -> None:
    assert choose(folder_of(tmp_path, *names), series(key)).path.name == chosen


@pytest.mark.parametrize("names", [["X_4H.csv", "X_4h.parquet"], ["X_4H_a.csv", "X_4H_b.csv"]])
def test_equally_plain_names_are_refused_together(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(SourceError) as error:
        choose(folder_of(tmp_path, *names), series("X_4H"))
    assert all(name in str(error.value) for name in names)


def test_a_series_without_a_file_lists_what_is_there(tmp_path: Path) -> None:
    folder_of(tmp_path, "X_4H.csv", "Y_1D.csv", "notes.txt")
    with pytest.raises(NoDataError, match=r"no file for x_4H; found X_4H, Y_1D; name the file x_4H\.csv"):
        choose(tmp_path, series("x_4H"))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        choose(tmp_path / "nowhere", series("X_4H"))
