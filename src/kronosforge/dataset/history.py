"""The bars of a finished dataset with its splits joined again, so that they can be cut differently."""

from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from kronosforge.core.bars import Series
from kronosforge.core.bars import series as parse_series
from kronosforge.core.candles import FEATURES
from kronosforge.dataset.native import Segment, open_split
from kronosforge.split import SPLITS, Cuts, Timeline, Times, count, total


class _Part(NamedTuple):
    """The part of a segment that lies in one split."""

    split: str
    segment: Segment


class History:
    """Every series of a dataset as segments without gaps.

    A segment continues across a cut if the next bar opens when the last one closes. Otherwise it ends there: parts that
    were shorter than a window are in no split, and cannot be distinguished from the closing hours of an exchange.
    """

    def __init__(self, dataset: Path) -> None:
        """Reads the finished dataset in a folder. Raises DataError if it is missing or broken."""
        self._splits = {split: open_split(dataset, split) for split in SPLITS}
        parts = [_Part(split, segment) for split, arrays in self._splits.items() for segment in arrays.segments]
        parts.sort(key=_series)  # stable: the parts of a series stay in the order of time
        grouped = {parse_series(key): list(group) for key, group in groupby(parts, key=_series)}
        self._segments = {series: self._joined(group, series.bar.length) for series, group in grouped.items()}

    @property
    def series(self) -> list[Series]:
        """Ascending by name."""
        return list(self._segments)

    @property
    def timeline(self) -> Timeline:
        """The open times of all bars of all series."""
        return Timeline.join(Timeline.of(np.concatenate(self.times(s)), s.bar.length) for s in self.series)

    def times(self, series: Series) -> list[Times]:
        """The open times (ms) of each segment."""
        return [
            np.concatenate([self._splits[split].time[segment.rows] for split, segment in parts])
            for parts in self._segments[series]
        ]

    def candles(self, series: Series) -> pl.DataFrame:
        """`ts`, Kronos' features as float64 (from the dataset's float32), and `segment` (UInt32, from 1)."""
        times = self.times(series)
        parts = [part for segment in self._segments[series] for part in segment]
        values = np.concatenate([self._splits[split].candles[segment.rows] for split, segment in parts])
        columns = dict(zip(FEATURES, values.astype(np.float64).T, strict=True))
        numbers = np.repeat(np.arange(1, len(times) + 1, dtype=np.uint32), [len(opens) for opens in times])
        return pl.DataFrame({"ts": np.concatenate(times), **columns, "segment": numbers})

    def windows(self, cuts: Cuts, window: int) -> dict[str, int]:
        """Split → windows of `window` bars, if the history is split at `cuts`."""
        slices = (cuts.slices(times, series.bar.length) for series in self.series for times in self.times(series))
        return total(
            {split: count([rows.stop - rows.start], window) for split, rows in part.items()} for part in slices
        )

    def _joined(self, parts: list[_Part], length: int) -> list[list[_Part]]:
        segments: list[list[_Part]] = []
        for part in parts:
            previous = segments[-1][-1] if segments else part
            adjacent = self._time(previous, -1) + length == self._time(part, 0)
            if adjacent and previous.segment.key == part.segment.key:
                segments[-1].append(part)
            else:
                segments.append([part])
        return segments

    def _time(self, part: _Part, index: int) -> int:
        return int(self._splits[part.split].time[part.segment.rows][index])


def _series(part: _Part) -> str:
    return part.segment.series
