"""Many series of different lengths at once: put into equal batches, generated, made candles again. Arrays only; pandas
comes in through `frames` and goes out through `tables`."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self, TypedDict, Unpack, get_args, overload

import numpy as np
import torch

from kronosforge.config import ALWAYS_OPEN, DatasetConfig
from kronosforge.core.console import brief
from kronosforge.core.errors import ModelError, UsageError
from kronosforge.core.i18n import _
from kronosforge.dataset.normalize import normalize, scale
from kronosforge.dataset.windows import Calendar
from kronosforge.forecast.arguments import check_choice, check_number, check_path, check_whole
from kronosforge.forecast.engine import Engine, Sliding
from kronosforge.forecast.history import LEAST, Bars, Values, check_lookback
from kronosforge.forecast.repair import repair, violations
from kronosforge.forecast.result import Forecast
from kronosforge.forecast.sampling import DEFAULTS, Sampler, uniforms
from kronosforge.forecast.weights import named_folder, tuned_pair
from kronosforge.model import KronosPredictor, KronosTokenizer
from kronosforge.model.devices import choose
from kronosforge.model.presets import context_of, refuse_mismatch
from kronosforge.workspace.paths import BEST

if TYPE_CHECKING:
    import pandas as pd

    from kronosforge.forecast.frames import FutureTimes

MEMORY = 1 << 30  # bytes of keys and values held at once, unless a single path needs more
SINGLE = "series"  # key of a frame that is given by itself
LONGEST_CONTEXT = 1 << 16  # bars; the tables of rotations grow with it
LARGEST_CLIP = 1e6
EXAMPLE = "outputs/models/model_a_4h"
MOST_SAMPLES = 100_000  # as many as the setting `forecast.samples` allows


class Job(NamedTuple):
    """Some paths of one series."""

    key: str
    bars: Bars
    paths: range


class Options(TypedDict, total=False):
    """The keywords of `Forecaster.forecast`."""

    temperature: float
    top_k: int
    top_p: float
    seed: int
    sliding: Sliding
    raw: bool
    lookback: int | None
    future: "FutureTimes"
    calendar: str


class Forecaster:
    """Sampled futures of candles. A series' paths depend on its candles, its key and the seed, not on other series.

    A frame holds one series, oldest bar first:

    - open times: a DatetimeIndex, else one column (or index) named timestamps, timestamp, datetime, date, time or ts.
      Datetimes, year-first text, or numbers of s, ms, µs or ns since 1970; without a time zone they are UTC.
    - open, high, low, close; vol or volume (base asset); amt or amount (turnover in quote currency). Without turnover it
      is volume × mean price, without volume both are 0, as in upstream; the forecast's `notes` say so.
    """

    def __init__(
        self,
        tokenizer: KronosTokenizer,
        predictor: KronosPredictor,
        *,
        device: str | torch.device | None = None,
        max_context: int | None = None,
        clip: float = DatasetConfig().clip,
    ) -> None:
        """Both networks are moved to `device`: `auto` (cuda, else cpu: sampling needs float64, which mps lacks), `cpu`,
        `cuda` or `cuda:N`; by default they go where the predictor is.

        `max_context`: bars that the predictor was trained to see; by default those of the published model of its shape
        (2048 for Kronos-mini), else 512. `clip` is as in training.
        Raises UsageError where an argument is of another type or out of range, or the device is unknown or not available;
        ModelError where the two do not belong together.
        """
        _check_network(KronosTokenizer, tokenizer=tokenizer)
        _check_network(KronosPredictor, predictor=predictor)
        check_number(0, LARGEST_CLIP, clip=clip)
        if max_context is not None:
            check_whole(LEAST, LONGEST_CONTEXT, max_context=max_context)
        refuse_mismatch(tokenizer.arguments, predictor.arguments)
        self.device = choose(next(predictor.parameters()).device if device is None else device, float64=True)
        self.max_context = max_context or context_of(predictor.arguments)
        self.clip = float(clip)
        self.engine = Engine(tokenizer.to(self.device), predictor.to(self.device), self.max_context)

    @classmethod
    def from_pretrained(
        cls,
        tokenizer: str | Path,
        predictor: str | Path,
        *,
        device: str | torch.device = "auto",
        max_context: int | None = None,
        clip: float = DatasetConfig().clip,
    ) -> Self:
        """With two checkpoints: each a folder, or an id of the Hugging Face hub; see `Checkpoint.from_pretrained`.

        Raises ModelError; UsageError where a checkpoint is not named by a path or an id, or where the device is unknown
        or not available.
        """
        check_path(tokenizer=tokenizer, predictor=predictor)
        place = choose(device, float64=True)  # before anything is downloaded
        networks = KronosTokenizer.from_pretrained(tokenizer), KronosPredictor.from_pretrained(predictor)
        return cls(*networks, device=place, max_context=max_context, clip=clip)

    @classmethod
    def from_tuned(
        cls,
        folder: str | Path,
        *,
        device: str | torch.device = "auto",
        clip: float | None = None,
    ) -> Self:
        """With the fine-tuned pair of a model: in its folder, such as `outputs/models/model_a_4h`, or by its name.

        A name means the model of the workspace around the current folder.
        `clip`: by default that of training; 5 where an older training did not record it.

        Raises ModelError where training left no pair there, UsageError as `from_pretrained` does.
        """
        check_path(folder=folder)
        folder = named_folder(folder).absolute()  # so that the current folder has a name
        if folder.exists() and not folder.is_dir():
            raise ModelError(
                _(
                    "{folder} is a file; name the folder of a trained model, such as {example}",
                    folder=folder,
                    example=EXAMPLE,
                )
            )
        pair = tuned_pair(folder)
        if pair.tokenizer is None:
            raise ModelError(
                _(
                    "{path} does not exist, as the predictor was trained on another tokenizer; name both "
                    "checkpoints: Forecaster.from_pretrained(tokenizer, predictor)",
                    path=folder / "tokenizer" / BEST,
                )
            )
        if clip is None:
            clip = (pair.record and pair.record.clip) or DatasetConfig().clip
        return cls.from_pretrained(pair.tokenizer, pair.predictor, device=device, clip=clip)

    @overload
    def forecast(
        self, frames: "Mapping[str, pd.DataFrame]", horizon: int, samples: int = ..., **options: Unpack[Options]
    ) -> dict[str, Forecast]: ...

    @overload
    def forecast(
        self, frames: "pd.DataFrame", horizon: int, samples: int = ..., **options: Unpack[Options]
    ) -> Forecast: ...

    def forecast(
        self,
        frames: "pd.DataFrame | Mapping[str, pd.DataFrame]",
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
        future: "FutureTimes" = None,
        calendar: str = ALWAYS_OPEN,
    ) -> Forecast | dict[str, Forecast]:
        """Sample the next `horizon` bars of a frame, or of each frame in a mapping, `samples` times.

        The newest `lookback` bars are known, or all; beyond `max_context` the model sees them as upstream's does.
        `future` holds the open times to come, for all series or by key. Without it the bars' regular step is carried
        on, or, with a `calendar` of exchange_calendars such as `XSHG`, they fall on its sessions. Paths are repaired
        (`forecast.repair`) unless `raw`. A mapping gives a forecast for each key; a single frame has the key "series".
        Raises DataError for candles that are not usable, UsageError for a request that is not, ConfigError for an
        unknown calendar.
        """
        from kronosforge.forecast import frames as adapter  # noqa: PLC0415 - loads pandas

        self._check(horizon, samples, sliding, seed, raw)
        check_lookback(lookback)
        sampler = Sampler(temperature=temperature, top_k=top_k, top_p=top_p)
        series = frames if isinstance(frames, Mapping) else {SINGLE: frames}
        tables = adapter.read_all(series, horizon, lookback, future, calendar)
        bars = {key: table.bars for key, table in tables.items()}
        sampled = self.sample(bars, samples, sampler, seed=seed, sliding=sliding, raw=raw)
        forecasts = {key: replace(sampled[key], labels=t.labels, notes=t.notes) for key, t in tables.items()}
        return forecasts if isinstance(frames, Mapping) else forecasts[SINGLE]

    def sample(
        self,
        series: Mapping[str, Bars],
        samples: int = DEFAULTS.samples,
        sampler: Sampler | None = None,
        *,
        seed: int = DEFAULTS.seed,
        sliding: Sliding = "exact",
        raw: bool = False,
    ) -> dict[str, Forecast]:
        """`forecast` for arrays that are checked already: the bars that each series has `ahead`, `samples` times.

        Raises UsageError, and ModelError where the model gives values that are not finite.
        """
        for bars in series.values():
            self._check(len(bars.ahead), samples, sliding, seed, raw)
        jobs = [Job(key, bars, range(samples)) for key, bars in series.items()]
        parts: dict[str, list[Values]] = {key: [] for key in series}
        for batch in self._batches(jobs, samples):
            for job, paths in zip(batch, self._run(batch, sampler or Sampler(), seed, sliding), strict=True):
                parts[job.key].append(paths)
        return {job.key: _forecast(job, np.concatenate(parts[job.key]), raw) for job in jobs}

    def _check(self, horizon: object, samples: object, sliding: object, seed: object, raw: object) -> None:
        check_whole(1, self.max_context - 1, horizon=horizon)
        check_whole(1, MOST_SAMPLES, samples=samples)
        check_whole(-(2**63), 2**63 - 1, seed=seed)
        check_choice(get_args(Sliding), sliding=sliding)
        check_choice((True, False), raw=raw)

    def _batches(self, jobs: Sequence[Job], samples: int) -> Iterator[list[Job]]:
        """`jobs` in batches of equal shape, each so large that keys and values fit into MEMORY."""
        for (length, horizon), same in groupby(sorted(jobs, key=_shape), _shape):
            need = partial(self.engine.memory, length, horizon)
            paths = max(1, bisect_right(range(1, samples + 1), MEMORY, key=need))
            series = max(1, MEMORY // need(paths))
            group = list(same)
            for begin in range(0, len(group), series):
                for path in range(0, samples, paths):
                    part = range(path, min(path + paths, samples))
                    yield [job._replace(paths=part) for job in group[begin : begin + series]]

    def _run(self, batch: list[Job], sampler: Sampler, seed: int, sliding: Sliding) -> Values:
        """Raw paths (n, S, T, 6) of a batch of equal shapes."""
        values = np.stack([job.bars.values for job in batch]).astype(np.float64, copy=False)  # (n, L, 6)
        times = np.stack([np.concatenate((job.bars.times, job.bars.ahead)) for job in batch])  # (n, L + T)
        numbers = [uniforms(job.key, int(job.bars.times[-1]), seed, job.paths, len(job.bars.ahead)) for job in batch]
        stamps = Calendar(int(times.min()), int(times.max())).stamps(times)
        bars = normalize(values, values.shape[1], self.clip).astype(np.float32)
        x, stamp, dice = (torch.from_numpy(part).to(self.device) for part in (bars, stamps, np.stack(numbers)))
        normalized = self.engine.forecast(x, stamp, dice, sampler, sliding).cpu().numpy()
        mean, spread = (part[:, None] for part in scale(values))  # (n, 1, 1, 6)
        paths: Values = normalized * spread + mean
        return paths


def _shape(job: Job) -> tuple[int, int]:
    return len(job.bars.times), len(job.bars.ahead)


def _check_network(kind: type[KronosTokenizer] | type[KronosPredictor], **networks: object) -> None:
    """Raise UsageError where a network is not of the class `kind`."""
    for name, network in networks.items():
        if not isinstance(network, kind):
            raise UsageError(
                _(
                    "{name} is {network}; it must be a {kind}, such as {kind}.from_pretrained(folder) returns",
                    name=name,
                    network=brief(network),
                    kind=kind.__name__,
                )
            )


def _forecast(job: Job, paths: Values, raw: bool) -> Forecast:
    """Raises ModelError for paths that are not finite."""
    if not np.isfinite(paths).all():
        raise ModelError(
            _(
                "{key}: the model's paths hold values that are not finite, so its weights cannot be used; "
                "download or copy the checkpoint again, or train the model again",
                key=job.key,
            )
        )
    origin = int(job.bars.times[-1])
    return Forecast(job.key, origin, job.bars.ahead, paths if raw else repair(paths), violations(paths))
