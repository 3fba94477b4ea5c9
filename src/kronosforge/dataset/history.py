"""The bars of a finished dataset, its splits joined again: a history that can be cut anew."""

from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from kronosforge.core.bars import Series
from kronosforge.core.bars import series as parsed
from kronosforge.core.candles import FEATURES
from kronosforge.dataset.native import open_split
from kronosforge.split import SPLITS, Cuts, Runs, Times, count, total


class _Piece(NamedTuple):
    """A run of a split."""

    key: str
    split: str
    rows: slice


class History:
    """Every series of a dataset, as segments without a hole.

    A segment goes on over a cut where the next bar opens as the last one closes. Elsewhere it ends there: pieces that
    were too short for a window are in no split, and an exchange's closing hour cannot be told from them.
    """

    def __init__(self, dataset: Path) -> None:
        """Of the finished dataset in a folder. Raises DataError where it is missing or broken."""
        self._splits = {split: open_split(dataset, split) for split in SPLITS}
        pieces = [
            _Piece(run.key, split, slice(run.offset, run.offset + run.length))
            for split, found in self._splits.items()
            for run in found.runs
        ]
        pieces.sort(key=_name)  # stable: each series' pieces stay in the order of time
        grouped = {parsed(name): list(its) for name, its in groupby(pieces, key=_name)}
        self._segments = {series: self._joined(its, series.bar.length) for series, its in grouped.items()}

    @property
    def series(self) -> list[Series]:
        """Ascending by name."""
        return list(self._segments)

    @property
    def runs(self) -> Runs:
        """All bars, as stretches."""
        return Runs.join(Runs.of(np.concatenate(self.times(series)), series.bar.length) for series in self.series)

    def times(self, series: Series) -> list[Times]:
        """The open times (ms) of each segment."""
        return [
            np.concatenate([self._splits[piece.split].time[piece.rows] for piece in segment])
            for segment in self._segments[series]
        ]

    def candles(self, series: Series) -> pl.DataFrame:
        """`ts`, Kronos' features as float64 (of the dataset's float32), and `segment` (UInt32, from 1)."""
        lengths = [len(times) for times in self.times(series)]
        pieces = [piece for segment in self._segments[series] for piece in segment]
        values = np.concatenate([self._splits[piece.split].candles[piece.rows] for piece in pieces])
        columns = dict(zip(FEATURES, values.astype(np.float64).T, strict=True))
        numbers = np.repeat(np.arange(1, len(lengths) + 1, dtype=np.uint32), lengths)
        return pl.DataFrame({"ts": np.concatenate(self.times(series)), **columns, "segment": numbers})

    def windows(self, at: Cuts, window: int) -> dict[str, int]:
        """Split → windows of `window` bars, cut there."""
        parts = (at.slices(times, series.bar.length) for series in self.series for times in self.times(series))
        return total({split: count([rows.stop - rows.start], window) for split, rows in part.items()} for part in parts)

    def _joined(self, pieces: list[_Piece], length: int) -> list[list[_Piece]]:
        segments: list[list[_Piece]] = []
        for piece in pieces:
            before = segments[-1][-1] if segments else None
            if before and before.key == piece.key and self._time(before, -1) + length == self._time(piece, 0):
                segments[-1].append(piece)
            else:
                segments.append([piece])
        return segments

    def _time(self, piece: _Piece, which: int) -> int:
        return int(self._splits[piece.split].time[piece.rows][which])


def _name(piece: _Piece) -> str:
    """Of the piece's series: `KEY#2` is the second segment of `KEY`."""
    return piece.key.partition("#")[0]
