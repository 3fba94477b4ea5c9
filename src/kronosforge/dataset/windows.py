"""Every legal window of a split by its number, read from the memory-mapped arrays. No torch: `loader` makes batches of it."""

from itertools import groupby
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
    """The windows of one split, numbered run after run and bar after bar.

    Holds a few numbers a run and a line a calendar day; candles and times stay on disk. Pickled, it is its path: another
    process maps the files anew.
    """

    def __init__(self, dataset: Path, split: str, rules: DatasetConfig) -> None:
        """Raises DataError where the split is missing, broken, or without a window."""
        self._opened = dataset.absolute(), split, rules  # a worker may stand in another folder
        self._rules = rules
        candles, time, runs = open_split(dataset, split)
        runs = [run for run in runs if run.length >= rules.window]
        if not runs:
            raise _none(dataset, split, rules.window)
        self._offset = np.array([run.offset for run in runs])
        self._windows = np.array([run.length for run in runs]) - rules.window + 1
        self._ends = np.cumsum(self._windows)
        self._keys = [run.key for run in runs]
        # views: window w of the array is rows [w, w + T), and indexing copies those rows only
        self._candles = np.lib.stride_tricks.sliding_window_view(candles, rules.window, axis=0).swapaxes(1, 2)
        self._time = np.lib.stride_tricks.sliding_window_view(time, rules.window)
        edges = time[self._offset], time[self._offset + self._windows + rules.window - 2]
        self._calendar = Calendar(int(edges[0].min()), int(edges[1].max()))

    @classmethod
    def open(cls, dataset: Path, split: str, rules: DatasetConfig) -> Self:
        """The windows of `split` (train, val or test). Raises DataError where it is missing, broken, or has none."""
        return cls(dataset, split, rules)

    def __reduce__(self) -> tuple[type[Self], tuple[Path, str, DatasetConfig]]:
        return type(self), self._opened

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def series(self) -> dict[str, int]:
        """Series → windows in all its segments, in the order of their numbers; a dataset keeps segments together."""
        pairs = zip(self._keys, self._windows.tolist(), strict=True)
        return {name: sum(n for _, n in its) for name, its in groupby(pairs, key=lambda pair: _series(pair[0]))}

    def gather(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The windows `numbers` (B,): candles (B, T, 6), normalised and clipped, and time features (B, T, 5)."""
        _, rows = self._find(numbers)
        candles = normalize(self._candles[rows], self._rules.lookback, self._rules.clip)
        return candles, self._calendar.stamps(self._time[rows])

    def names(self, numbers: npt.NDArray[np.int64]) -> list[str]:
        """Each window's series and first bar, for messages: `BTC-USDT-SWAP_4H 2024-01-01T00:00Z`."""
        runs, rows = self._find(numbers)
        opens = self._time[rows, 0].tolist()
        return [f"{_series(self._keys[run])} {iso(time)}" for run, time in zip(runs, opens, strict=True)]

    def _find(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """In which run each window stands, and its first row. Raises IndexError for numbers that there are not."""
        if (numbers < 0).any():
            raise IndexError("a window's number is negative")
        runs = np.searchsorted(self._ends, numbers, side="right")
        return runs, (self._offset - self._ends + self._windows)[runs] + numbers


class Calendar:
    """Time features of instants between `first` and `last` (ms, UTC), from a table of days: (days, 5), one line a day."""

    def __init__(self, first: int, last: int) -> None:
        self._start = first // DAY
        days = np.arange(self._start, last // DAY + 1).astype("M8[D]")
        month = days.astype("M8[M]")
        self._lines = np.zeros((len(days), STAMPS), np.int64)  # minute and hour are filled in
        self._lines[:, 2] = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
        self._lines[:, 3] = (days - month).astype(np.int64) + 1
        self._lines[:, 4] = month.astype(np.int64) % 12 + 1

    def stamps(self, time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Minute, hour, weekday (Monday 0), day and month of `time` (…): (…, 5)."""
        days, hours, minutes = (time // unit for unit in (DAY, HOUR, MINUTE))
        out = self._lines.take(days - self._start, axis=0)
        np.subtract(minutes, hours * 60, out=out[..., 0])
        np.subtract(hours, days * 24, out=out[..., 1])
        return out


def _series(key: str) -> str:
    """The series of a run's key: `KEY#2` is the second segment of `KEY`."""
    return key.partition("#")[0]


def _none(dataset: Path, split: str, window: int) -> DataError:
    return DataError(
        _(
            "{dataset}: {split} has no window of {window} bars; prepare more records, or shorten lookback or predict",
            dataset=dataset,
            split=split,
            window=window,
        )
    )
