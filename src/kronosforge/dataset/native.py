"""The dataset in the form our own trainer maps into memory: per split one array of candles, one of times, and an index.

    native/train/candles.npy   (N, 6) float32, Kronos' order      native/index.json   split → [[key, offset, length], …]
    native/train/time.npy      (N,) int64, open time, ms UTC

The rows are those of the split's pickle, frame after frame.
"""

import io
import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from kronosforge.core.candles import FEATURES
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _
from kronosforge.core.records import reason
from kronosforge.workspace.paths import NATIVE

CANDLES, TIME, INDEX = "candles.npy", "time.npy", "index.json"
_ROWS = 1 << 16  # converted at once


class Run(NamedTuple):
    """Consecutive bars of one series: rows [offset, offset + length) of a split."""

    key: str
    offset: int
    length: int


_INDEX_TYPE = TypeAdapter(dict[str, list[Run]])


class NativeSplit(NamedTuple):
    """One split, mapped from disk and read-only."""

    candles: npt.NDArray[np.float32]  # (N, 6)
    time: npt.NDArray[np.int64]  # (N,)
    runs: list[Run]


class NativeWriter:
    """Writes one split's arrays into two open files, run by run; `finish` writes their heads."""

    def __init__(self, candles: BinaryIO, time: BinaryIO) -> None:
        self.runs: list[Run] = []
        self._files = {candles: ("<f4", (len(FEATURES),)), time: ("<i8", ())}
        self._candles, self._time = candles, time
        self._rows = 0
        self._heads()

    def add(self, key: str, times: npt.NDArray[np.int64], columns: Sequence[npt.NDArray[np.float64]]) -> None:
        """Add a run: `times` (N,) ms UTC, and the six `columns` (N,) in Kronos' order."""
        self._time.write(np.ascontiguousarray(times, "<i8").data)
        for row in range(0, len(times), _ROWS):
            self._candles.write(
                np.stack([c[row : row + _ROWS] for c in columns], axis=1, dtype="<f4", casting="same_kind").data
            )
        self.runs.append(Run(key, self._rows, len(times)))
        self._rows += len(times)

    def finish(self) -> None:
        """Put the final heads in front of the rows."""
        self._heads()

    def _heads(self) -> None:
        for file, (dtype, row) in self._files.items():
            file.seek(0)
            file.write(head(dtype, (self._rows, *row)))


def head(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The head of a .npy file: 128 bytes for any number of rows, because numpy leaves room for the first axis to grow."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def write_index(folder: Path, runs: dict[str, list[Run]]) -> None:
    """Write native/index.json of the dataset in `folder`."""
    (folder / NATIVE / INDEX).write_text(json.dumps(runs, separators=(",", ":")) + "\n", "utf-8")


def open_split(dataset: Path, split: str) -> NativeSplit:
    """Map a split of the dataset in folder `dataset`. Raises DataError where it is missing or broken."""
    folder = dataset / NATIVE
    runs = _read_index(folder / INDEX, split)
    try:
        candles, time = (np.load(folder / split / name, mmap_mode="r", allow_pickle=False) for name in (CANDLES, TIME))
    except (OSError, EOFError, ValueError) as error:
        raise _broken(folder / split, str(error)) from None
    rows = sum(run.length for run in runs)
    if candles.shape != (rows, len(FEATURES)) or time.shape != (rows,):
        raise _broken(folder / split, f"{rows} rows in the index, {len(candles)} candles, {len(time)} times")
    return NativeSplit(candles, time, runs)


def _read_index(path: Path, split: str) -> list[Run]:
    """The runs of a split, which follow one another without a gap. Raises DataError."""
    try:
        runs = _INDEX_TYPE.validate_json(path.read_bytes(), strict=True)[split]
    except (OSError, ValueError) as error:
        raise _broken(path, reason(error)) from None
    except KeyError:
        raise _broken(path, f"{split} is missing") from None
    offsets = accumulate((run.length for run in runs), initial=0)
    if any(run.length < 1 or run.offset != offset for run, offset in zip(runs, offsets, strict=False)):
        raise _broken(path, f"the runs of {split} do not follow one another")
    return runs


def _broken(folder: Path, found: str) -> DataError:
    return DataError(
        _("{folder} is missing or broken ({value}); prepare the dataset again", folder=folder, value=found)
    )
