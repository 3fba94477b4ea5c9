"""The windows of a split by their numbers, read from the memory-mapped arrays. Without torch: `loader` makes batches."""

from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from kronosforge.config import DatasetConfig
from kronosforge.core.bars import DAY, HOUR, MINUTE, iso
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _
from kronosforge.dataset.native import open_split
from kronosforge.dataset.normalize import normalize

STAMPS = 5  # minute, hour, weekday (Monday 0), day, month


class Windows:
    """The windows of one split, numbered segment after segment and bar after bar.

    Holds a few numbers per segment and a row per calendar day; candles and times stay on disk. It is pickled as its path:
    another process maps the files again.
    """

    def __init__(self, dataset: Path, split: str, settings: DatasetConfig) -> None:
        """Raises DataError if the split is missing or broken or has no windows."""
        self._arguments = dataset.absolute(), split, settings  # a worker may have another current folder
        self._settings = settings
        candles, time, segments = open_split(dataset, split)
        segments = [segment for segment in segments if segment.length >= settings.window]
        if not segments:
            raise _no_windows(dataset, split, settings.window)
        self._offset = np.array([segment.offset for segment in segments])
        self._windows = np.array([segment.length for segment in segments]) - settings.window + 1
        self._ends = np.cumsum(self._windows)
        self._series = [segment.series for segment in segments]
        # views: window w of the array is rows [w, w + T), and indexing copies those rows only
        self._candles = np.lib.stride_tricks.sliding_window_view(candles, settings.window, axis=0).swapaxes(1, 2)
        self._time = np.lib.stride_tricks.sliding_window_view(time, settings.window)
        edges = time[self._offset], time[self._offset + self._windows + settings.window - 2]
        self._calendar = Calendar(int(edges[0].min()), int(edges[1].max()))

    @classmethod
    def open(cls, dataset: Path, split: str, settings: DatasetConfig) -> Self:
        """The windows of `split` (train, val or test). Raises DataError if it is missing or broken or has no windows."""
        return cls(dataset, split, settings)

    def __reduce__(self) -> tuple[type[Self], tuple[Path, str, DatasetConfig]]:
        return type(self), self._arguments

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def series(self) -> dict[str, int]:
        """Series → windows in all its segments, in the order of their numbers; the segments of a series are adjacent."""
        counts: dict[str, int] = {}
        for series, windows in zip(self._series, self._windows.tolist(), strict=True):
            counts[series] = counts.get(series, 0) + windows
        return counts

    def gather(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The windows `numbers` (B,): candles (B, T, 6), normalised and clipped, and time features (B, T, 5)."""
        _, rows = self._find(numbers)
        candles = normalize(self._candles[rows], self._settings.lookback, self._settings.clip)
        return candles, self._calendar.stamps(self._time[rows])

    def names(self, numbers: npt.NDArray[np.int64]) -> list[str]:
        """The series and the first bar of each window, for messages: `BTC-USDT-SWAP_4H 2024-01-01T00:00Z`."""
        segments, rows = self._find(numbers)
        opens = self._time[rows, 0].tolist()
        return [f"{self._series[segment]} {iso(time)}" for segment, time in zip(segments, opens, strict=True)]

    def _find(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The index of each window's segment, and its first row. Raises IndexError for a number without a window."""
        if (numbers < 0).any():
            raise IndexError("a window's number is negative")
        segments = np.searchsorted(self._ends, numbers, side="right")
        return segments, (self._offset - self._ends + self._windows)[segments] + numbers


class Calendar:
    """Time features of instants between `first` and `last` (ms, UTC), from a table with a row per day: (days, 5)."""

    def __init__(self, first: int, last: int) -> None:
        self._start = first // DAY
        days = np.arange(self._start, last // DAY + 1).astype("M8[D]")
        month = days.astype("M8[M]")
        self._rows = np.zeros((len(days), STAMPS), np.int64)  # minute and hour are filled in
        self._rows[:, 2] = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
        self._rows[:, 3] = (days - month).astype(np.int64) + 1
        self._rows[:, 4] = month.astype(np.int64) % 12 + 1

    def stamps(self, time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Minute, hour, weekday (Monday 0), day and month of `time` (…): (…, 5)."""
        days, hours, minutes = (time // unit for unit in (DAY, HOUR, MINUTE))
        out = self._rows.take(days - self._start, axis=0)
        np.subtract(minutes, hours * 60, out=out[..., 0])
        np.subtract(hours, days * 24, out=out[..., 1])
        return out


def _no_windows(dataset: Path, split: str, window: int) -> DataError:
    return DataError(
        _(
            "{dataset}: {split} has no window of {window} bars; prepare more records, or shorten lookback or predict",
            dataset=dataset,
            split=split,
            window=window,
        )
    )
