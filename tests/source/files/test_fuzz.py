"""Whatever a file holds: candles, or an error that says why. Never a traceback, never part of the rows."""

import gzip
import io
import json
import tempfile
from pathlib import Path

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kronosforge.config import SourceConfig
from kronosforge.core.bars import HOUR, instant, iso, series
from kronosforge.core.candles import SCHEMA
from kronosforge.core.errors import KronosForgeError
from kronosforge.source.files.folder import FilesSource

KEY = series("BTC-USDT-SWAP_4H")
FIRST = instant("2024-01-01")
CANDLES = pl.DataFrame(
    [
        {"ts": FIRST + i * 4 * HOUR, "open": 10.0 + i, "high": 20.0 + i, "low": 5.0, "close": 11.0, "vol": i / 8, "amt": i * 1.5}
        for i in range(24)
    ]
)  # fmt: skip


def read(data: bytes, suffix: str = ".csv") -> pl.DataFrame | None:
    """The candles; None where the file is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{KEY}{suffix}")
        path.write_bytes(data)
        try:
            candles = FilesSource(path.parent, SourceConfig()).read(KEY)
        except KronosForgeError as error:
            assert str(error).startswith(path.name)
            assert "\n" not in str(error)
            assert len(str(error)) < 1500
            return None
    assert candles.drop("confirm", strict=False).schema == SCHEMA
    return candles


cell = st.one_of(
    st.integers(-10, 2**70).map(str), st.floats().map(repr), st.text(max_size=8), st.datetimes().map(str),
    st.sampled_from(["", "nan", "null", "1735228800000", "2024-01-01 00:00:00+08:00", '"', '"1"', "True", "﻿"]),
)  # fmt: skip
header = st.lists(
    st.sampled_from(
        ["ts", "timestamp", "date", "open", "high", "low", "close", "vol", "volume", "volCcy", "volCcyQuote", "amt",
         "turnover", "confirm", "symbol", "x"]
    )
    | st.text(max_size=6),
    max_size=11,
)  # fmt: skip


@given(st.binary(max_size=300), st.sampled_from([".csv", ".csv.gz", ".zip", ".parquet", ".feather"]))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: bytes, suffix: str) -> None:
    read(data, suffix)


@given(header, st.lists(st.lists(cell, max_size=11), max_size=6))
@example(["ts", "open", "high", "low", "close", "vol"], [["1735228800000", "1", "1", "1", "1", "1"]])
@settings(max_examples=150, deadline=None)
def test_any_table(names: list[str], rows: list[list[str]]) -> None:
    text = "\n".join(",".join(row) for row in [names, *rows])
    read(text.encode(errors="surrogatepass"))


@given(st.lists(st.lists(cell, min_size=6, max_size=6), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_values_below_a_good_header(rows: list[list[str]]) -> None:
    good = [[str(v) for v in row[:6]] for row in CANDLES.rows()]
    text = "\n".join(",".join(row) for row in [["ts", "open", "high", "low", "close", "vol"], *good, *rows])
    data = text.encode(errors="surrogatepass")
    candles = read(data)
    assert candles is None or candles.height == data.rstrip().count(b"\n"), "every row below the header"


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["ts", "open", "code"]), inner)))  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_any_json(value: object) -> None:
    assert read(json.dumps(value, indent=1).encode()) is None


def encoded(suffix: str) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".parquet":
        CANDLES.write_parquet(buffer)
    elif suffix == ".feather":
        CANDLES.write_ipc(buffer, compression="lz4")
    else:
        CANDLES.write_csv(buffer)
    return gzip.compress(buffer.getvalue(), mtime=0) if suffix == ".csv.gz" else buffer.getvalue()


ENCODED = {suffix: encoded(suffix) for suffix in (".csv", ".csv.gz", ".parquet", ".feather")}


@given(st.sampled_from(sorted(ENCODED)), st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_files(suffix: str, data: st.DataObject) -> None:
    whole = bytearray(ENCODED[suffix])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + 1] = data.draw(st.binary(max_size=2))
    read(bytes(whole), suffix)


TIMES = {
    "seconds": lambda ts: str(ts // 1000),
    "ms": str,
    "µs": lambda ts: f"{ts}000",
    "iso": iso,
    "offset": lambda ts: f"{iso(ts + 8 * HOUR)[:16]}:00+08:00",
    "half": lambda ts: f"{iso(ts)[:10]} {(int(iso(ts)[11:13]) - 1) % 12 + 1:02}-{'AP'[int(iso(ts)[11:13]) >= 12]}M",
}
SPELLINGS = {
    "ts": ["ts", "ts_ms", "timestamps", "Open time", "Date"], "open": ["open", "Open"], "high": ["high", "HIGH"],
    "low": ["low"], "close": ["close", "Close"], "vol": ["vol", "Volume"], "amt": ["amt", "amount", "turnover", "Quote asset volume"],
}  # fmt: skip


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_the_same_candles_in_any_spelling_and_order(data: st.DataObject) -> None:
    spell = TIMES[data.draw(st.sampled_from(sorted(TIMES)))]
    spelled = CANDLES.with_columns(ts=pl.Series([spell(ts) for ts in CANDLES["ts"]]))
    columns = data.draw(st.permutations(spelled.columns))
    spelled = spelled.select(pl.col(c).alias(data.draw(st.sampled_from(SPELLINGS[c]))) for c in columns)
    descending = data.draw(st.booleans())
    text = (spelled.reverse() if descending else spelled).write_csv(
        include_bom=data.draw(st.booleans()),
        line_terminator=data.draw(st.sampled_from(["\n", "\r\n"])),
        quote_style=data.draw(st.sampled_from(["necessary", "always"])),
    )
    candles = read(text.encode())
    assert candles is not None
    assert (candles.reverse() if descending else candles).drop("provenance").equals(CANDLES)
    assert candles["provenance"].unique().to_list() == ["exchange"]
