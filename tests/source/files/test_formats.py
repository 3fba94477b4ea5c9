"""From bytes to columns: packed, quoted, typed; and what is broken, too large or ragged."""

import gzip
import zipfile
from pathlib import Path

import polars as pl
import pytest

from kronosforge.core.errors import SourceError
from kronosforge.core.i18n import Message
from kronosforge.source.files import formats as tables
from kronosforge.source.files.formats import read

CSV = b"ts,open\n1,2.5\n3,4.5\n"
FRAME = pl.DataFrame({"ts": ["1", "3"], "open": ["2.5", "4.5"]})


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.csv" if "." not in name else name, data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        CSV,
        b"\xef\xbb\xbf" + CSV,
        CSV.replace(b"\n", b"\r\n"),
        CSV.rstrip(),
        CSV + b"\n\r\n \n",
        b"# a note\nhttps://www.CryptoDataDownload.com\n" + CSV,
        b'"ts","open"\n"1","2.5"\n"3","4.5"\n',
        b'"ts","open"\r\n1,2.5\r\n3,4.5',
    ],
)
def test_csv(tmp_path: Path, data: bytes) -> None:
    strip = pl.all().str.strip_chars()
    assert read(written(tmp_path / "X.csv", data)).frame.select(strip).equals(FRAME)


def test_packed_csv(tmp_path: Path) -> None:
    assert read(written(tmp_path / "X.csv.gz", gzip.compress(CSV, mtime=0))).frame.equals(FRAME)
    assert read(zipped(tmp_path / "X.zip", X=CSV)).frame.equals(FRAME)


def test_typed_files(tmp_path: Path) -> None:
    typed = FRAME.select(pl.col("ts").cast(pl.Int64), pl.col("open").cast(pl.Float64))
    typed.write_parquet(tmp_path / "X.parquet")
    typed.write_ipc(tmp_path / "X.feather", compression="zstd")
    assert read(tmp_path / "X.parquet").frame.equals(typed)
    assert read(tmp_path / "X.feather").frame.equals(typed)


LEAN = b"20240102 00:00,1000000,1020000,990000,1010000,5\n20240103 00:00,1000000,1020000,990000,1010000,5\n"


def test_lean_is_known_in_a_zip_only(tmp_path: Path) -> None:
    table = read(zipped(tmp_path / "X.zip", x=LEAN))
    assert (table.scale, table.first, table.frame.columns[0]) == (10_000, 1, "datetime")
    with pytest.raises(SourceError, match=r"X\.csv, line 1: holds values"):
        read(written(tmp_path / "X.csv", LEAN))


@pytest.mark.parametrize(
    "data,reason",
    [
        (LEAN.replace(b"1020000", b"102.5"), "line 1: holds values"),
        (LEAN + b"20240104 00:00,1000000,1020000,990000,10.1,5\n", "line 3: '10.1' is not an integer"),
        (LEAN + b"20240104 00:00,1000000\n", "line 3: has 2 values for 6 columns"),
    ],
)
def test_what_only_looks_like_lean_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        read(zipped(tmp_path / "X.zip", x=data))


@pytest.mark.parametrize(
    "data,reason",
    [
        (b"", r"X\.csv, line 1: empty"),
        (b"\n\n", "line 1: empty"),
        (b"ts,open\n", "line 1: no rows below the column names"),
        (b"ts,open\n1,2\n3\n", "line 3: has 1 values for 2 columns"),
        (b"ts,open\n1,2\n3,4,5\n", "line 3: has 3 values"),
        (b"ts,open\n1,2\n\n3,4\n", "line 3: has 1 values"),
        (b"# note\nts,open\n1,2\n3,4,5\n", "line 4: has 3 values"),
        (b'"ts",open\n1,2\n3\n', "line 3: has 1 values"),
        (b'ts,open\n1,2\n3,"4\n5"\n', "line 3: a quoted value spans several lines"),
        (b'ts,open\n1,2\n3,"4"4\n', "line 3: invalid quotes"),
        (b"ts,open\n1,2\n3,\xff\n", "line 3: byte 0xff is not UTF-8"),
        ("日期,开盘\n".encode("gbk"), "line 1: byte 0x.. is not UTF-8; save the file as UTF-8"),
        ("ts,open\n1,2\n".encode("utf-16"), "is not UTF-8"),
        (b'[{"ts": 1, "open": 2}]', "no rows|invalid quotes"),
    ],
)
def test_broken_csv_is_refused_with_its_line(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        read(written(tmp_path / "X.csv", data))


@pytest.mark.parametrize(
    "name,data",
    [
        ("X.csv.gz", gzip.compress(CSV * 50, mtime=0)[:-9]),
        ("X.csv.gz", gzip.compress(CSV * 50, mtime=0)[:30] + b"\0" * 30),
        ("X.csv.gz", CSV),
        ("X.zip", CSV),
        ("X.zip", b""),
        ("X.parquet", CSV),
        ("X.parquet", b"PAR1" + b"\0" * 30 + b"PAR1"),
        ("X.feather", CSV),
        ("X.feather", b""),
    ],
)
def test_corrupted_files_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(SourceError, match=rf"^{name}: cannot be unpacked or read"):
        read(written(tmp_path / name, data))


@pytest.mark.parametrize("members", [{}, {"a": CSV, "b": CSV}, {"a.txt": CSV}])
def test_a_zip_must_hold_one_csv(tmp_path: Path, members: dict[str, bytes]) -> None:
    with pytest.raises(SourceError, match=r"a zip must contain exactly one \.csv"):
        read(zipped(tmp_path / "X.zip", **members))


@pytest.mark.parametrize("name", ["X.csv", "X.csv.gz", "X.zip", "X.parquet", "X.feather"])
def test_bombs_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    data, path = b"ts,open\n" + b"1,2\n" * 50_000, tmp_path / name
    typed = pl.DataFrame({"ts": [1] * 50_000})
    {
        "X.csv": lambda: path.write_bytes(data),
        "X.csv.gz": lambda: path.write_bytes(gzip.compress(data, mtime=0)),
        "X.zip": lambda: zipped(path, x=data),
        "X.parquet": lambda: typed.write_parquet(path),
        "X.feather": lambda: typed.write_ipc(path, compression="zstd"),
    }[name]()
    monkeypatch.setattr(tables, "MAX_BYTES", 20_000)
    monkeypatch.setattr(tables, "MAX_ROWS", 20_000)
    with pytest.raises(SourceError, match="larger than"):
        read(path)


def test_columns_that_hold_no_single_values_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"ts": [[1, 2]], "open": [1.0]}).write_parquet(tmp_path / "X.parquet")
    with pytest.raises(SourceError, match=r"column 'ts' holds .*list"):
        read(tmp_path / "X.parquet")


def test_a_typed_file_without_rows_is_refused(tmp_path: Path) -> None:
    pl.DataFrame(schema={"ts": pl.Int64}).write_parquet(tmp_path / "X.parquet")
    with pytest.raises(SourceError, match=r"X\.parquet: has no rows"):
        read(tmp_path / "X.parquet")


def test_refusals_of_typed_files_count_rows(tmp_path: Path) -> None:
    pl.DataFrame({"ts": [1, 2]}).write_parquet(tmp_path / "X.parquet")
    assert "X.parquet, row 2: wrong" in str(read(tmp_path / "X.parquet").refuse(1, Message("wrong")))


def test_refusals_in_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_LANG", "zh")
    with pytest.raises(SourceError, match=r"X\.csv 第 3 行：有 1 个值"):
        read(written(tmp_path / "X.csv", b"ts,open\n1,2\n3\n"))
