"""From a file's bytes to columns, as they stand: every row kept, in file order; nothing read into the values yet."""

import csv
import gzip
import io
import lzma
import re
import reprlib
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from kronosforge.core.errors import SourceError
from kronosforge.core.i18n import tr

# A file, or what it unpacks to, may be this large: some five million rows of CSV, which take ten times that in memory
# while they are read. It stops archives made to fill memory.
MAX_BYTES = 1 << 29
MAX_ROWS = 20_000_000

# What people and programs write where there is no value.
MISSING = ["", "nan", "nat", "null", "none", "na", "n/a"]

_BOM = b"\xef\xbb\xbf"
# QuantConnect LEAN, daily and hourly US equities: no header, prices × 10,000.
# Source: QuantConnect/Lean, Data/equity/readme.md.
_LEAN_ROW = re.compile(rb"\d{8} \d\d:\d\d(?:,\d+){5}")
_LEAN_HEADER = ["datetime", "open", "high", "low", "close", "volume"]
_LEAN_SCALE = 10_000.0
_VALUE = re.compile(r"[\d\s.:/+-]*")
_PREAMBLE = re.compile(rb"#|.*cryptodatadownload", re.IGNORECASE)
_UTC_PREAMBLE = re.compile(rb"timestamps are utc", re.IGNORECASE)

_ARROW_TYPES = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_null,
)
_UNPACKING = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


_BRIEF = reprlib.Repr()
_BRIEF.maxstring, _BRIEF.maxlist = 60, 16
# What a message quotes from a file, which may hold anything: one line, not too long.
shown = _BRIEF.repr


class Table(NamedTuple):
    """A file's columns under their own names."""

    name: str
    frame: pl.DataFrame  # strings from CSV, typed from Parquet and Feather
    first: int = 1  # line of the first row, where lines are what people see
    lines: bool = True  # False: counted in rows
    scale: float = 1.0  # prices are divided by it
    utc: bool = False  # the file itself says that its times are UTC

    def unread(self, column: str, values: pl.Series) -> int | None:
        """The first row where `column` holds something and `values`, what was read from it, nothing."""
        rows = (self.frame[column].is_not_null() & values.is_null()).arg_true()
        said = self.frame[column].gather(rows).cast(pl.String).str.strip_chars().str.to_lowercase().is_in(MISSING)
        left = rows.filter(~said)
        return int(left[0]) if len(left) else None

    def refuse(self, row: int | None, english: str, chinese: str) -> SourceError:
        """The error that names the file, the line of `row` (None: the header), the reason and what to do."""
        if row is None:
            return refused(self.name, self.first - 1 if self.lines else None, english, chinese)
        unit = ("line", "行") if self.lines else ("row", "记录")
        return refused(self.name, row + self.first, english, chinese, unit)


def refused(
    name: str, line: int | None, english: str, chinese: str, unit: tuple[str, str] = ("line", "行")
) -> SourceError:
    """`name, line N: reason; what to do`."""
    if line is None:
        return SourceError(f"{name}: {tr(english, chinese)}")
    return SourceError(tr(f"{name}, {unit[0]} {line}: {english}", f"{name} 第 {line} {unit[1]}:{chinese}"))


def read(path: Path) -> Table:
    """The columns of a CSV (plain, gzip or zip), Parquet or Feather file. Raises SourceError with file, line, reason."""
    suffix = path.suffix.lower()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _too_large(path.name)
        if suffix in (".parquet", ".feather"):
            return _arrow(path, suffix)
        return _text(path.name, _unpacked(path, suffix), zipped=suffix == ".zip")
    except _UNPACKING as error:
        raise _unreadable(path.name, error) from None


def _too_large(name: str) -> SourceError:
    size = f"{MAX_BYTES >> 20} MiB"
    return refused(
        name, None, f"larger than {size} unpacked; split it or store it as Parquet", f"解压后超过 {size};请拆分文件"
    )


def _unreadable(name: str, error: Exception) -> SourceError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return refused(
        name,
        None,
        f"cannot be unpacked or read ({reason}); fetch or write it again",
        f"无法解压或读取({reason});请重新获取该文件",
    )


def _unpacked(path: Path, suffix: str) -> bytes:
    if suffix == ".gz":
        with gzip.open(path) as file:
            data = file.read(MAX_BYTES + 1)
    elif suffix == ".zip":
        data = _member(path)
    else:
        data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise _too_large(path.name)
    return data


def _member(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        if len(members) != 1 or not members[0].filename.lower().endswith(".csv"):
            held = ", ".join(m.filename for m in members[:5]) or "-"
            raise refused(
                path.name,
                None,
                f"holds {len(members)} files ({held}); a zip must hold exactly one .csv",
                f"包含 {len(members)} 个文件({held});zip 中必须恰好有一个 .csv",
            )
        with archive.open(members[0]) as file:
            return file.read(MAX_BYTES + 1)


def _text(name: str, data: bytes, zipped: bool) -> Table:
    data = data.removeprefix(_BOM)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise refused(
            name,
            data.count(b"\n", 0, error.start) + 1,
            f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8",
            f"字节 0x{data[error.start]:02x} 不是 UTF-8;请另存为 UTF-8",
        ) from None
    if zipped and _LEAN_ROW.fullmatch(data.partition(b"\n")[0].strip()):
        return _lean(name, data)
    utc, above = False, 0
    while _PREAMBLE.match(head := data.partition(b"\n")[0]):
        utc = utc or bool(_UTC_PREAMBLE.match(head))
        data, above = data[len(head) + 1 :], above + 1
    header, frame = _columns(name, data, above + 1)
    if not frame.height:
        raise refused(
            name, above + 1, "no rows below the column names; remove the file", "列名之下没有数据;请移除该文件"
        )
    return Table(name, frame.rename(dict(zip(frame.columns, header, strict=True))), above + 2, utc=utc)


def _lean(name: str, data: bytes) -> Table:
    frame = _split(name, data.rstrip(), len(_LEAN_HEADER), 1)
    table = Table(name, frame.rename(dict(zip(frame.columns, _LEAN_HEADER, strict=True))), scale=_LEAN_SCALE)
    for column in _LEAN_HEADER[1:]:
        whole = table.frame[column].str.contains(r"^\d+\s*$").fill_null(value=False)
        if not whole.all():
            row = (~whole).arg_true()[0]
            raise table.refuse(
                row,
                f"{shown(table.frame[column][row])} is no integer, as LEAN's {column} × 10,000 is; add a header line",
                f"{shown(table.frame[column][row])} 不是整数(LEAN 格式的 {column} 应为 ×10,000 的整数);请添加列名行",
            )
    return table


def _columns(name: str, data: bytes, line: int) -> tuple[list[str], pl.DataFrame]:
    """Column names, and the rows below them as strings. `line` is the header's."""
    if b'"' in data:
        return _quoted(name, data, line)
    head, _, body = data.partition(b"\n")
    header = _header(name, head.decode().split(","), line)
    return header, _split(name, body.rstrip(), len(header), line + 1)


def _header(name: str, cells: list[str], line: int | None) -> list[str]:
    header = [cell.strip() for cell in cells]
    if not any(header):
        raise refused(name, line, "empty; the first line must name the columns", "为空;第一行必须是列名")
    if all(_VALUE.fullmatch(cell) for cell in header):
        raise refused(
            name,
            line,
            "holds values where the column names should be; add a line such as ts,open,high,low,close,vol,amt",
            "应为列名却是数值;请添加列名行,例如 ts,open,high,low,close,vol,amt",
        )
    twice = next((cell for i, cell in enumerate(header) if cell in header[:i]), None)
    if twice is not None:
        raise refused(
            name,
            line,
            f"two columns are named {shown(twice)}; rename or remove one",
            f"有两列同名 {shown(twice)};请改名或删除一列",
        )
    return header


def _split(name: str, body: bytes, width: int, line: int) -> pl.DataFrame:
    """Lines without quotes, cut at their commas; every line must hold `width` values. Blank values are null."""
    if not body:
        return pl.DataFrame(schema={f"column_{i}": pl.String for i in range(width)})
    letters = np.frombuffer(body, np.uint8)
    ends = np.append(np.flatnonzero(letters == ord("\n")), len(body))
    values = np.diff(np.searchsorted(np.flatnonzero(letters == ord(",")), ends), prepend=0) + 1
    ragged = np.flatnonzero(values != width)
    if len(ragged):
        raise _ragged(name, line + int(ragged[0]), int(values[ragged[0]]), width)
    frame = pl.read_csv(body, has_header=False, infer_schema=False, quote_char=None)
    if frame.shape != (len(ends), width):
        raise refused(name, line, "cannot be cut into rows; write it as plain CSV", "无法切分为行;请存为普通 CSV")
    return frame


def _ragged(name: str, line: int, found: int, width: int) -> SourceError:
    return refused(
        name,
        line,
        f"holds {found} values where the column names are {width}; mend or remove the line",
        f"有 {found} 个值,而列名有 {width} 个;请修正或删除该行",
    )


def _quoted(name: str, data: bytes, line: int) -> tuple[list[str], pl.DataFrame]:
    """The slow, exact way, for the rare file with quotes."""
    reader = csv.reader(io.StringIO(data.decode().rstrip(), newline=""), strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
            if reader.line_num != len(rows):
                raise refused(
                    name, line + len(rows) - 1, "a quoted value runs over the line's end; mend it", "引号内换行;请修正"
                )
    except csv.Error as error:
        raise refused(
            name, line + len(rows), f"broken quotes ({error}); mend the line", f"引号有误({error});请修正"
        ) from None
    header = _header(name, rows[0], line)
    for i, row in enumerate(rows):
        if len(row) != len(header):
            raise _ragged(name, line + i, len(row), len(header))
    schema = {f"column_{i}": pl.String for i in range(len(header))}
    return header, pl.DataFrame(rows[1:], schema=schema, orient="row")


def _arrow(path: Path, suffix: str) -> Table:
    try:
        table = _parquet(path) if suffix == ".parquet" else _feather(path)
        table.validate(full=True)
    except (pa.ArrowException, ValueError) as error:
        raise _unreadable(path.name, error) from None
    for field in table.schema:
        if not any(known(field.type) for known in _ARROW_TYPES):
            raise refused(
                path.name,
                None,
                f"column {shown(field.name)} holds {field.type}; remove it or make it a number",
                f"列 {shown(field.name)} 的类型是 {field.type};请删除或改为数值",
            )
    header = _header(path.name, table.column_names, None) if table.column_names else []
    if not header or not table.num_rows:
        raise refused(path.name, None, "holds no rows; remove the file", "没有数据;请移除该文件")
    return Table(path.name, pl.DataFrame(table.rename_columns(header)), lines=False)


def _parquet(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:
        size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
        if size > MAX_BYTES or file.metadata.num_rows > MAX_ROWS:
            raise _too_large(path.name)
        return file.read()


def _feather(path: Path) -> pa.Table:
    """Feather version 2, which is the Arrow file format."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
        batches, size = [], 0
        for i in range(file.num_record_batches):
            batches.append(file.get_batch(i))
            size += batches[-1].nbytes
            if size > MAX_BYTES:
                raise _too_large(path.name)
        return pa.Table.from_batches(batches, file.schema)
