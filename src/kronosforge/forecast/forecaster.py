"""Many series of different lengths at once: checked, put into equal batches, generated, made candles again."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import tr
from kronosforge.dataset.normalize import normalize, scale
from kronosforge.forecast.engine import Engine, Sliding
from kronosforge.forecast.frames import History, calendar, future_times, history, milliseconds
from kronosforge.forecast.repair import repair, violations
from kronosforge.forecast.result import Forecast
from kronosforge.forecast.sampling import DEFAULTS, Sampler, uniforms
from kronosforge.model import KronosPredictor, KronosTokenizer

MEMORY = 1 << 30  # bytes of keys and values held at once, unless a single path needs more


class Job(NamedTuple):
    """Some paths of one series."""

    known: History
    ahead: pd.DatetimeIndex
    paths: range


class Forecaster:
    """Sampled futures of candles. A series' paths depend on its candles, its key and the seed, on nothing beside it."""

    def __init__(
        self, tokenizer: KronosTokenizer, predictor: KronosPredictor, *, max_context: int = 512, clip: float = 5.0
    ) -> None:
        """`max_context`: bars that the predictor was trained to see (2048 for Kronos-mini); `clip`: as in training."""
        self.engine = Engine(tokenizer, predictor, max_context)
        self.max_context, self.clip = max_context, clip
        self.device = next(predictor.parameters()).device

    @classmethod
    def from_pretrained(
        cls,
        tokenizer: str | Path | None = None,
        predictor: str | Path | None = None,
        *,
        device: str | torch.device = "cpu",
        max_context: int = 512,
        clip: float = 5.0,
    ) -> Self:
        """With the checkpoints in two folders, or of two hub ids; see `Checkpoint.from_pretrained`. Raises ModelError."""
        networks = KronosTokenizer.from_pretrained(tokenizer), KronosPredictor.from_pretrained(predictor)
        return cls(networks[0].to(device), networks[1].to(device), max_context=max_context, clip=clip)

    def forecast(
        self,
        frames: Mapping[str, pd.DataFrame],
        horizon: int,
        samples: int = DEFAULTS.samples,
        *,
        temperature: float = DEFAULTS.temperature,
        top_k: int = DEFAULTS.top_k,
        top_p: float = DEFAULTS.top_p,
        seed: int = DEFAULTS.seed,
        sliding: Sliding = "exact",
        raw: bool = False,
        lookback: int | None = None,
        future: pd.DatetimeIndex | Mapping[str, pd.DatetimeIndex] | None = None,
    ) -> dict[str, Forecast]:
        """The next `horizon` bars of each series, `samples` times; by series key, in the order of `frames`.

        A frame has a DatetimeIndex or a column of times, open, high, low, close, vol or volume, amt or amount. Its newest
        `lookback` bars are what is known, or all of it; what is longer than max_context is seen as upstream sees it.
        `future`: the open times to come, of all series or by key; without it the bars' regular step is carried on.
        Paths are repaired (`forecast.repair`) unless `raw`. Raises UsageError and DataError.
        """
        self._check(horizon, samples, sliding)
        sampler = Sampler(temperature=temperature, top_k=top_k, top_p=top_p)
        jobs = []
        for key, frame in frames.items():
            known = history(key, frame, lookback)
            jobs.append(Job(known, future_times(known, horizon, future), range(samples)))
        paths: dict[str, list[npt.NDArray[np.float64]]] = {key: [] for key in frames}
        for batch in self._batches(jobs, horizon, samples):
            for job, found in zip(batch, self._run(batch, horizon, sampler, seed, sliding), strict=True):
                paths[job.known.key].append(found)
        return {job.known.key: _result(job, np.concatenate(paths[job.known.key]), raw) for job in jobs}

    def _check(self, horizon: int, samples: int, sliding: str) -> None:
        if not 0 < horizon < self.max_context:
            raise UsageError(
                tr(
                    f"horizon {horizon}: from 1 to {self.max_context - 1}, below the context of {self.max_context} bars",
                    f"horizon {horizon}:须为 1 到 {self.max_context - 1},小于上下文 {self.max_context} 根",
                )
            )
        if samples < 1 or sliding not in ("exact", "approximate"):
            raise UsageError(
                tr(
                    f"samples {samples}, sliding {sliding!r}: at least 1, and 'exact' or 'approximate'",
                    f"samples {samples}、sliding {sliding!r}:至少为 1,且为 'exact' 或 'approximate'",
                )
            )

    def _batches(self, jobs: Sequence[Job], horizon: int, samples: int) -> Iterator[list[Job]]:
        """`jobs` in batches of equal length, each so large that keys and values fit into MEMORY."""
        for length, same in groupby(sorted(jobs, key=_length), _length):
            need = partial(self.engine.memory, length, horizon)
            paths = max(1, bisect_right(range(1, samples + 1), MEMORY, key=need))
            series = max(1, MEMORY // need(paths))
            group = list(same)
            for begin in range(0, len(group), series):
                for path in range(0, samples, paths):
                    part = range(path, min(path + paths, samples))
                    yield [job._replace(paths=part) for job in group[begin : begin + series]]

    def _run(
        self, batch: list[Job], horizon: int, sampler: Sampler, seed: int, sliding: Sliding
    ) -> npt.NDArray[np.float64]:
        """Raw paths (n, S, T, 6) of a batch of equal lengths."""
        values = np.stack([job.known.values for job in batch])  # (n, L, 6)
        stamps = [calendar(np.concatenate((job.known.times, milliseconds(job.ahead)))) for job in batch]
        numbers = [uniforms(job.known.key, int(job.known.times[-1]), seed, job.paths, horizon) for job in batch]
        bars = normalize(values, values.shape[1], self.clip).astype(np.float32)
        x, stamp, dice = (
            torch.from_numpy(part).to(self.device) for part in (bars, np.stack(stamps), np.stack(numbers))
        )
        found = self.engine.forecast(x, stamp, dice, sampler, sliding).cpu().numpy()
        mean, spread = (part[:, None] for part in scale(values))  # (n, 1, 1, 6)
        return found * spread + mean


def _length(job: Job) -> int:
    return len(job.known.values)


def _result(job: Job, paths: npt.NDArray[np.float64], raw: bool) -> Forecast:
    known = job.known
    return Forecast(
        known.key, known.index[-1], job.ahead, known.columns, paths if raw else repair(paths), violations(paths)
    )
