"""Write clean series into the files of a dataset, one series in memory at a time."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from kronosforge.core.bars import Series
from kronosforge.core.candles import FEATURES
from kronosforge.core.digests import HashedFile
from kronosforge.dataset import native
from kronosforge.dataset.pickles import PickleWriter
from kronosforge.split import SPLITS, Cuts, count
from kronosforge.workspace.paths import NATIVE, pickle_name

_ROWS_PER_SYNC = 500_000  # 42 MB: each sync commits the file system's journal nine times, while writing waits


class Written(NamedTuple):
    """What was written of one series."""

    series: str
    keys: dict[str, list[str]]  # split → keys of its frames
    rows: dict[str, int]  # split → bars
    windows: dict[str, int]  # split → windows
    bars_in_no_window: int  # in a segment shorter than a window, or across a cut


class DatasetWriter:
    """Writes `{train,val,test}_data.pkl` and `native/` into the empty folder `staging`.

    A segment of a series becomes one frame per split; the first segment has the key of the series, the nth `…#n`, the
    same in every split. Parts shorter than `window` bars are left out and counted. The bytes depend only on the candles,
    the cuts and the window. A context manager, which closes its files at the end of the block.
    """

    def __init__(self, staging: Path, cuts: Cuts, window: int) -> None:
        self._staging, self._cuts, self._window = staging, cuts, window
        self._written: list[Written] = []
        with ExitStack() as files:
            self._splits = {split: _SplitWriter(staging, split, files) for split in SPLITS}
            # Closed first, so that it never syncs a closed file.
            self._disk = files.enter_context(ThreadPoolExecutor(1))
            self._files = files.pop_all()
        self._synced = self._disk.submit(self._sync)
        self._unsynced = 0  # rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, series: Series, candles: pl.DataFrame) -> Written:
        """Write one series: `candles.SCHEMA` plus `segment` (UInt32, from 1), ascending. Returns what was written."""
        candles = candles.rechunk()  # one buffer per column, so that numpy reads it in place
        times = candles["ts"].to_numpy()
        columns = [candles[name].to_numpy() for name in FEATURES]
        splits = self._cuts.slices(times, series.bar.length)
        keys: dict[str, list[str]] = {split: [] for split in SPLITS}
        lengths: dict[str, list[int]] = {split: [] for split in SPLITS}
        for number, segment in _segments(candles["segment"].to_numpy()):
            key = str(series) if number == 1 else f"{series}#{number}"
            for split, inside in splits.items():
                rows = slice(max(segment.start, inside.start), min(segment.stop, inside.stop))
                if rows.stop - rows.start >= self._window:
                    self._splits[split].add(key, times[rows], [column[rows] for column in columns])
                    keys[split].append(key)
                    lengths[split].append(rows.stop - rows.start)
        bars = {split: sum(lengths[split]) for split in SPLITS}
        windows = {split: count(lengths[split], self._window) for split in SPLITS}
        self._keep_syncing(len(times))
        self._written.append(Written(str(series), keys, bars, windows, len(times) - sum(bars.values())))
        return self._written[-1]

    def finish(self) -> list[Written]:
        """Complete and close the files. Returns what was written of every series, in order."""
        self._synced.result()
        for writer in self._splits.values():
            writer.finish()
        native.write_index(self._staging, {split: writer.native.segments for split, writer in self._splits.items()})
        self._files.close()
        return self._written

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of what was written so far, by name of the pickle."""
        return {pickle_name(split): writer.frames.sha256.hexdigest() for split, writer in self._splits.items()}

    def _keep_syncing(self, rows: int) -> None:
        """Sync what was written so far in the background, so that little is left to sync at the end."""
        self._unsynced += rows
        if self._unsynced >= _ROWS_PER_SYNC and self._synced.done():
            self._synced.result()
            self._synced, self._unsynced = self._disk.submit(self._sync), 0

    def _sync(self) -> None:
        for writer in self._splits.values():
            writer.sync()


class _SplitWriter:
    """Writes one split as a pickle and as arrays."""

    def __init__(self, staging: Path, split: str, files: ExitStack) -> None:
        folder = staging / NATIVE / split
        folder.mkdir(parents=True)
        self.frames = files.enter_context(HashedFile(staging / pickle_name(split)))
        candles, time = (files.enter_context((folder / name).open("wb")) for name in (native.CANDLES, native.TIME))
        self._files = (self.frames, candles, time)
        self._pickle = PickleWriter(self.frames)
        self.native = native.NativeWriter(candles, time)

    def add(self, key: str, times: npt.NDArray[np.int64], columns: Sequence[npt.NDArray[np.float64]]) -> None:
        self._pickle.add(key, times, columns)
        self.native.add(key, times, columns)

    def sync(self) -> None:
        for file in self._files:
            os.fsync(file.fileno())

    def finish(self) -> None:
        self._pickle.finish()
        self.native.finish()


def _segments(numbers: npt.NDArray[np.uint32]) -> Iterator[tuple[int, slice]]:
    """The number and the rows of each segment; `numbers` ascend from 1 and skip none."""
    firsts = np.arange(1, numbers.max(initial=0) + 2, dtype=numbers.dtype)
    for number, (start, stop) in enumerate(pairwise(np.searchsorted(numbers, firsts).tolist()), 1):
        yield number, slice(start, stop)
