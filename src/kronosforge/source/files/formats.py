"""From a file's bytes to raw columns: every row kept, in file order, values not yet interpreted."""

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
from kronosforge.core.i18n import Message, _

# Largest file, unpacked: some five million rows of CSV, which take ten times that in memory while they are read.
# Protects against archives made to fill memory.
MAX_BYTES = 1 << 29
MAX_ROWS = 20_000_000

# Spellings of a missing value.
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
# Quotes file content in messages: one line of limited length, whatever the file holds.
shown = _BRIEF.repr


class Table(NamedTuple):
    """A file's columns under their own names."""

    name: str
    frame: pl.DataFrame  # strings from CSV, typed from Parquet and Feather
    first: int = 1  # line of the first row in a text file
    lines: bool = True  # False: counted in rows
    scale: float = 1.0  # prices are divided by it
    utc: bool = False  # the file itself says that its times are UTC

    def unread(self, column: str, values: pl.Series) -> int | None:
        """The first row where `column` has a value and `values`, parsed from it, has none."""
        rows = (self.frame[column].is_not_null() & values.is_null()).arg_true()
        blank = self.frame[column].gather(rows).cast(pl.String).str.strip_chars().str.to_lowercase().is_in(MISSING)
        left = rows.filter(~blank)
        return int(left[0]) if len(left) else None

    def refuse(self, row: int | None, reason: Message) -> SourceError:
        """The error that names the file, the line of `row` (None: the header), the reason and what to do."""
        if row is None:
            return refused(self.name, self.first - 1 if self.lines else None, reason)
        return refused(self.name, row + self.first, reason, lines=self.lines)


def refused(name: str, number: int | None, reason: Message, *, lines: bool = True) -> SourceError:
    """`name, line N: reason; what to do`; where the file has no lines, the row."""
    if number is None:
        return SourceError(f"{name}: {reason}")
    if lines:
        return SourceError(_("{name}, line {number}: {reason}", name=name, number=number, reason=reason))
    return SourceError(_("{name}, row {number}: {reason}", name=name, number=number, reason=reason))


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
    return refused(name, None, Message("larger than {size} unpacked; split it or store it as Parquet", size=size))


def _unreadable(name: str, error: Exception) -> SourceError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return refused(
        name,
        None,
        Message("cannot be unpacked or read ({reason}); download or save it again", reason=reason),
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
                Message(
                    "contains {count} files ({held}); a zip must contain exactly one .csv",
                    count=len(members),
                    held=held,
                ),
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
            Message("byte 0x{data:02x} is not UTF-8; save the file as UTF-8", data=data[error.start]),
        ) from None
    if zipped and _LEAN_ROW.fullmatch(data.partition(b"\n")[0].strip()):
        return _lean(name, data)
    utc, above = False, 0
    while _PREAMBLE.match(head := data.partition(b"\n")[0]):
        utc = utc or bool(_UTC_PREAMBLE.match(head))
        data, above = data[len(head) + 1 :], above + 1
    header, frame = _columns(name, data, above + 1)
    if not frame.height:
        raise refused(name, above + 1, Message("no rows below the column names; remove the file"))
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
                Message(
                    "{value} is not an integer as LEAN's {column} × 10,000 must be; add a header line",
                    value=shown(table.frame[column][row]),
                    column=column,
                ),
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
        raise refused(name, line, Message("empty; the first line must name the columns"))
    if all(_VALUE.fullmatch(cell) for cell in header):
        raise refused(
            name,
            line,
            Message("holds values instead of column names; add a line such as ts,open,high,low,close,vol,amt"),
        )
    twice = next((cell for i, cell in enumerate(header) if cell in header[:i]), None)
    if twice is not None:
        raise refused(
            name,
            line,
            Message("two columns are named {shown}; rename or remove one", shown=shown(twice)),
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
        raise refused(name, line, Message("cannot be split into rows; save it as plain CSV"))
    return frame


def _ragged(name: str, line: int, count: int, width: int) -> SourceError:
    return refused(
        name,
        line,
        Message("has {count} values for {width} columns; fix or remove the line", count=count, width=width),
    )


def _quoted(name: str, data: bytes, line: int) -> tuple[list[str], pl.DataFrame]:
    """Parse a file with quotes: slow, exact and rarely needed."""
    reader = csv.reader(io.StringIO(data.decode().rstrip(), newline=""), strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
            if reader.line_num != len(rows):
                raise refused(name, line + len(rows) - 1, Message("a quoted value spans several lines; fix the quotes"))
    except csv.Error as error:
        raise refused(name, line + len(rows), Message("invalid quotes ({error}); fix the line", error=error)) from None
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
        if not any(is_type(field.type) for is_type in _ARROW_TYPES):
            raise refused(
                path.name,
                None,
                Message(
                    "column {column} holds {type}; remove it or convert it to numbers",
                    column=shown(field.name),
                    type=field.type,
                ),
            )
    header = _header(path.name, table.column_names, None) if table.column_names else []
    if not header or not table.num_rows:
        raise refused(path.name, None, Message("has no rows; remove the file"))
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
