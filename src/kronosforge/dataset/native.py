"""The dataset as arrays that our trainer maps into memory: per split one of candles, one of times, and an index.

    native/train/candles.npy   (N, 6) float32, Kronos' order      native/index.json   split → [[key, offset, length], …]
    native/train/time.npy      (N,) int64, open time, ms UTC

The rows are those of the split's pickle, frame after frame. A key is that of a series, `KEY`, and `KEY#n` for its nth
segment.
"""

import io
import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from kronosforge.core.candles import FEATURES
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import Message, _
from kronosforge.core.records import reason
from kronosforge.workspace.paths import NATIVE

CANDLES, TIME, INDEX = "candles.npy", "time.npy", "index.json"
_CHUNK = 1 << 16  # rows that are converted at once


class Segment(NamedTuple):
    """The bars of one segment in a split: its rows [offset, offset + length)."""

    key: str
    offset: int
    length: int

    @property
    def series(self) -> str:
        """The key of the segment's series."""
        return series_key(self.key)

    @property
    def rows(self) -> slice:
        """Its rows."""
        return slice(self.offset, self.offset + self.length)


def series_key(key: str) -> str:
    """The key of the series to which the segment or frame `key` belongs: `KEY` for `KEY#2`."""
    return key.partition("#")[0]


_INDEX_TYPE = TypeAdapter(dict[str, list[Segment]])


class NativeSplit(NamedTuple):
    """One split, mapped from disk and read-only."""

    candles: npt.NDArray[np.float32]  # (N, 6)
    time: npt.NDArray[np.int64]  # (N,)
    segments: list[Segment]


class NativeWriter:
    """Writes the arrays of one split into two open files, segment by segment; `finish` writes their headers."""

    def __init__(self, candles: BinaryIO, time: BinaryIO) -> None:
        self.segments: list[Segment] = []
        self._files = {candles: ("<f4", (len(FEATURES),)), time: ("<i8", ())}
        self._candles, self._time = candles, time
        self._rows = 0
        self._write_headers()

    def add(self, key: str, times: npt.NDArray[np.int64], columns: Sequence[npt.NDArray[np.float64]]) -> None:
        """Add a segment: `times` (N,) ms UTC, and the six `columns` (N,) in Kronos' order."""
        self._time.write(np.ascontiguousarray(times, "<i8").data)
        for row in range(0, len(times), _CHUNK):
            self._candles.write(
                np.stack([c[row : row + _CHUNK] for c in columns], axis=1, dtype="<f4", casting="same_kind").data
            )
        self.segments.append(Segment(key, self._rows, len(times)))
        self._rows += len(times)

    def finish(self) -> None:
        """Write the final headers before the rows."""
        self._write_headers()

    def _write_headers(self) -> None:
        for file, (dtype, row) in self._files.items():
            file.seek(0)
            file.write(header(dtype, (self._rows, *row)))


def header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The header of a .npy file: 128 bytes for any number of rows, because numpy leaves room for the first axis to grow."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def write_index(folder: Path, segments: dict[str, list[Segment]]) -> None:
    """Write native/index.json of the dataset in `folder`: split → its segments."""
    (folder / NATIVE / INDEX).write_text(json.dumps(segments, separators=(",", ":")) + "\n", "utf-8")


def open_split(dataset: Path, split: str) -> NativeSplit:
    """Map a split of the dataset in the folder `dataset`. Raises DataError if it is missing or broken."""
    folder = dataset / NATIVE
    segments = _read_index(folder / INDEX, split)
    candles, time = (_mapped(folder / split / name) for name in (CANDLES, TIME))
    rows = sum(segment.length for segment in segments)
    if candles.shape != (rows, len(FEATURES)) or time.shape != (rows,):
        raise _broken(folder / split, f"{rows} rows in the index, {len(candles)} candles, {len(time)} times")
    return NativeSplit(candles, time, segments)


def _mapped(path: Path) -> npt.NDArray[Any]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (OSError, EOFError, ValueError) as error:
        raise _broken(path, str(reason(error))) from None


def _read_index(path: Path, split: str) -> list[Segment]:
    """The segments of a split, whose rows follow one another. Raises DataError."""
    try:
        segments = _INDEX_TYPE.validate_json(path.read_bytes(), strict=True)[split]
    except (OSError, ValueError) as error:
        raise _broken(path, reason(error)) from None
    except KeyError:
        raise _broken(path, f"{split} is missing") from None
    offsets = accumulate((segment.length for segment in segments), initial=0)
    if any(segment.length < 1 or segment.offset != offset for segment, offset in zip(segments, offsets, strict=False)):
        raise _broken(path, f"the segments of {split} do not follow one another")
    return segments


def _broken(path: Path, problem: str | Message) -> DataError:
    return DataError(
        _("{path} is missing or broken ({problem}); prepare the dataset again with --force", path=path, problem=problem)
    )
