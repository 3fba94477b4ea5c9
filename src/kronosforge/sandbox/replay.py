"""A market of recorded candles: a folder of files with OKX's nine columns, whose strings are served unchanged.

A file is `INSTRUMENT_BAR.csv` with the bar as OKX spells it (`BTC-USDT-SWAP_1Dutc.csv`). Duplicates and unfinished rows
are served unchanged; other files are skipped and logged.
"""

import csv
import logging
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from kronosforge.core.bars import Bar, Span
from kronosforge.core.errors import SourceError, UsageError
from kronosforge.core.i18n import _
from kronosforge.sandbox.instruments import Instrument, instrument
from kronosforge.sandbox.market import OKX_BARS, Row

log = logging.getLogger("kronosforge.sandbox")

COLUMNS = ["ts", "open", "high", "low", "close", "vol", "volCcy", "volCcyQuote", "confirm"]


class Recorded(NamedTuple):
    """One file: its rows ascending by time, rows of one time in the file's order, and their times (ms)."""

    rows: list[Row]
    times: list[int]


class Replay:
    """The candles of a folder. `newest_close` (ms) is the time of a clock that fits them.

    Raises UsageError if the folder has no such files, SourceError if a line of one cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.files = dict(_read_folder(folder))
        if not self.files:
            raise UsageError(
                _(
                    "{folder}: no candles to replay; it needs files such as BTC-USDT-SWAP_4H.csv with the "
                    "columns {columns}",
                    folder=folder,
                    columns=",".join(COLUMNS),
                )
            )
        names = sorted({name for name, _bar in self.files})
        self.instruments = {
            name: _describe(name, [f for key, f in self.files.items() if key[0] == name]) for name in names
        }
        self.newest_close = max(file.times[-1] + size.length for (_name, size), file in self.files.items())

    def rows(self, name: str, size: Bar, span: Span, limit: int, now: int) -> list[Row]:
        """The newest `limit` rows with times in `span`, newest first; a bar that is unfinished at `now` has confirm 0."""
        if (name, size) not in self.files:
            return []
        rows, times = self.files[name, size]
        first, stop = bisect_left(times, span.start), bisect_left(times, min(span.stop, now + 1))
        page = rows[max(first, stop - limit) : stop][::-1]
        return [row if int(row[0]) + size.length <= now else [*row[:-1], "0"] for row in page]


def _read_folder(folder: Path) -> Iterable[tuple[tuple[str, Bar], Recorded]]:
    if not folder.is_dir():
        raise UsageError(_("{folder}: the replay folder does not exist", folder=folder))
    for path in sorted(folder.iterdir()):
        name, _underscore, code = path.stem.rpartition("_")
        if path.suffix != ".csv" or not name or code not in OKX_BARS:
            log.info("replay leaves out %s: its name is not INSTRUMENT_BAR.csv", path.name)
        elif recorded := _read(path):
            yield (name, OKX_BARS[code]), recorded


def _read(path: Path) -> Recorded | None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        if next(reader, None) != COLUMNS:
            log.info("replay leaves out %s: its columns are not %s", path.name, ",".join(COLUMNS))
            return None
        rows = [row for row in reader if row]
    for line, row in enumerate(rows, start=2):
        if len(row) != len(COLUMNS) or not row[0].isdecimal():
            raise SourceError(
                _(
                    "{path}:{line}: expected {count} columns beginning with a time in ms; fix or remove the line",
                    path=path,
                    line=line,
                    count=len(COLUMNS),
                )
            )
    rows.sort(key=lambda row: int(row[0]))
    return Recorded(rows, [int(row[0]) for row in rows]) if rows else None


def _describe(name: str, files: list[Recorded]) -> Instrument:
    """The instrument, with its contract value and tick inferred from the rows."""
    rows = [row for file in files for row in file.rows]
    decimals = max(len(price.rstrip("0").partition(".")[2]) for row in rows for price in row[1:5])
    draft = instrument(name, listing=min(file.times[0] for file in files), tick_decimals=decimals)
    traded = next((row for row in rows if float(row[5])), None)
    if not draft.ct_type or not traded:
        return draft
    column = 7 if draft.ct_type == "inverse" else 6
    value = f"{float(traded[column]) / float(traded[5]):.3g}"
    return instrument(name, listing=draft.listing, tick_decimals=decimals, ct_val=value)
