"""Walk-forward over the test split: a forecast at every origin, scored against the bars that came.

The test split's arrays hold no bar of train or val, and a window stays inside one run of them: so neither a lookback nor
a horizon touches what a model was trained or selected on.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from kronosforge.config import DatasetConfig, EvaluateConfig
from kronosforge.core.bars import Bar, instant, series
from kronosforge.core.candles import CLOSE, OPEN
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _
from kronosforge.dataset.native import NativeSplit, open_split
from kronosforge.evaluate.bootstrap import Floats, Ints
from kronosforge.evaluate.metrics import Paths, Scores, join, score
from kronosforge.forecast import Forecaster
from kronosforge.forecast.history import History
from kronosforge.forecast.sampling import Sampler
from kronosforge.split import starts

PRETRAINING_END = "2024-06-01"
"""Published weights are out of sample from here on: training went through February 2024, validation through May.
Source: the maintainer in shiyu-coder/Kronos, issue 204 (2025-12-09)."""

BATCH = 64  # origins forecast together; no result depends on it


class Lookback(NamedTuple):
    """What is known at B origins, and no more."""

    series: list[str]
    bars: list[Bar]
    candles: Floats  # (B, L, 6)
    times: Ints  # (B, L) open times, ms
    ahead: Ints  # (B, H) open times to come: the venue's calendar


class Ahead(NamedTuple):
    """The bars that came (B, H, 6)."""

    candles: Floats

    def close(self, lookback: Lookback) -> Floats:
        """(B, H) relative to the last known close."""
        relative: Floats = self.candles[:, :, CLOSE] / lookback.candles[:, -1:, CLOSE] - 1
        return relative


Caster: TypeAlias = Callable[[Lookback], Paths]


@dataclass(frozen=True, eq=False)
class Origins:
    """The forecasts to be made, N of them, series after series and bar after bar."""

    series: list[str]
    instants: Ints  # (T,) ms, ascending: when forecasts are made, the newest known bars having closed
    at: Ints  # (N,) which instant
    of: Ints  # (N,) which series
    row: Ints  # (N,) first row of the lookback in the split's arrays
    begin: Ints  # (N,) ms, its open time
    end: Ints  # (N,) ms, when the last bar ahead closes

    def __len__(self) -> int:
        return len(self.at)

    @property
    def bars(self) -> list[Bar]:
        """Of each series."""
        return [series(key).bar for key in self.series]

    @property
    def group(self) -> Ints:
        """(N,) equal for forecasts of equal bars made at the same instant."""
        codes, code_of = np.unique([bar.code for bar in self.bars], return_inverse=True)
        return self.at * len(codes) + code_of[self.of]

    @property
    def early(self) -> npt.NDArray[np.bool_]:
        """(N,) True where the window begins before PRETRAINING_END."""
        return self.begin < instant(PRETRAINING_END)

    def only(self, which: npt.NDArray[np.bool_]) -> Self:
        """Some of them; instants without any are left out."""
        used, at = np.unique(self.at[which], return_inverse=True)
        rest = (part[which] for part in (self.of, self.row, self.begin, self.end))
        return type(self)(self.series, self.instants[used], at.astype(np.int64), *rest)


class TestSplit:
    """The bars on which models are judged."""

    __test__ = False  # no test class, pytest

    def __init__(self, dataset: Path, rules: DatasetConfig) -> None:
        """Of the finished dataset in a folder. Raises DataError."""
        self.lookback, self.horizon = rules.lookback, rules.predict
        self._split: NativeSplit = open_split(dataset, "test")
        self._moves = one_bar_moves(open_split(dataset, "train"))

    def origins(self, stride: int) -> Origins:
        """All legal origins; with a `stride`, every so many of the instants at which a bar of that length closes, the
        same instants for all series. Raises DataError where there is none."""
        segments = [s for s in self._split.segments if s.length >= self.lookback + self.horizon]
        names = list(dict.fromkeys(segment.series for segment in segments))
        if not segments:
            raise _none(self.lookback + self.horizon)
        rows = [starts([(segment.offset, segment.length)], self.lookback + self.horizon) for segment in segments]
        of = np.repeat([names.index(segment.series) for segment in segments], [len(r) for r in rows])
        row = np.concatenate(rows)
        lengths = np.array([series(name).bar.length for name in names])[of]
        made = self._split.time[row + self.lookback - 1] + lengths
        kept = np.zeros(len(row), bool)
        for length in np.unique(lengths):
            of_length = lengths == length
            kept |= of_length & np.isin(made, np.unique(made[of_length])[::stride])
        instants, at = np.unique(made[kept], return_inverse=True)
        begin, end = self._split.time[row[kept]], self._split.time[row[kept] + self.lookback + self.horizon - 1]
        return Origins(names, instants, at.astype(np.int64), of[kept], row[kept], begin, end + lengths[kept])

    def unit(self, origins: Origins) -> Floats:
        """(N,) the mean one-bar move of each origin's series in training; NaN where it has no training bars."""
        return np.array([self._moves.get(name, np.nan) for name in origins.series])[origins.of]

    def read(self, origins: Origins, which: Ints) -> tuple[Lookback, Ahead]:
        """What is known and what came at the origins numbered `which` (B,)."""
        rows = origins.row[which][:, None] + np.arange(self.lookback + self.horizon)
        candles, times = self._split.candles[rows].astype(np.float64), self._split.time[rows]
        names = [origins.series[j] for j in origins.of[which]]
        lookback = Lookback(
            names,
            [series(name).bar for name in names],
            candles[:, : self.lookback],
            times[:, : self.lookback],
            times[:, self.lookback :],
        )
        return lookback, Ahead(candles[:, self.lookback :])


def one_bar_moves(split: NativeSplit) -> dict[str, float]:
    """Series → mean |close / previous close − 1| within its segments: the in-sample error of the naive forecast, by which
    MASE is scaled. Source: Hyndman, Koehler 2006, International Journal of Forecasting 22(4)."""
    moves: dict[str, list[Floats]] = {}
    for segment in split.segments:
        close = split.candles[segment.rows, CLOSE].astype(np.float64)
        moves.setdefault(segment.series, []).append(np.abs(close[1:] / close[:-1] - 1))
    return {key: float(np.concatenate(parts).mean()) or np.nan for key, parts in moves.items()}


def roll(
    test: TestSplit,
    origins: Origins,
    casters: Mapping[str, Caster],
    progress: Callable[[int, int], None] = lambda done, total: None,
    batch: int = BATCH,
) -> dict[str, Scores]:
    """The scores of each caster at every origin, (N,) each. `progress` hears of origins done and of all."""
    unit = test.unit(origins)
    parts: dict[str, list[Scores]] = {name: [] for name in casters}
    for which in _batches(len(origins), batch):
        lookback, ahead = test.read(origins, which)
        for name, cast in casters.items():
            parts[name].append(score(cast(lookback), ahead.close(lookback), unit[which]))
        progress(int(which[-1]) + 1, len(origins))
    return {name: join(made) for name, made in parts.items()}


def by_model(forecaster: Forecaster, rules: EvaluateConfig) -> Caster:
    """A model as a caster: `rules.samples` paths an origin, seeded by series, origin and path."""

    sampler = Sampler(temperature=rules.temperature, top_k=rules.top_k, top_p=rules.top_p)

    def cast(lookback: Lookback) -> Paths:
        keys = [f"{name} {times[-1]}" for name, times in zip(lookback.series, lookback.times, strict=True)]
        bars = map(History, lookback.times, lookback.candles, lookback.ahead)
        forecasts = forecaster.sample(
            dict(zip(keys, bars, strict=True)), rules.samples, sampler, seed=rules.seed, raw=True
        )
        last = lookback.candles[:, -1, CLOSE]
        paths = np.stack([forecasts[key].paths for key in keys])  # (B, S, H, 6)
        broken = [forecasts[key].violations.broken / forecasts[key].violations.bars for key in keys]
        return Paths(
            paths[..., CLOSE] / last[:, None, None] - 1,
            paths[:, :, 0, OPEN].mean(axis=1) / last - 1,
            np.array(broken),
        )

    return cast


def _batches(size: int, batch: int) -> Iterator[Ints]:
    for begin in range(0, size, batch):
        yield np.arange(begin, min(begin + batch, size))


def _none(window: int) -> DataError:
    return DataError(
        _(
            "the test split has no {window} bars in a row, so that nothing can be judged on it; prepare more records",
            window=window,
        )
    )
