"""Forecast the next bars of a model's series: fetch the newest candles, sample paths, write tables and pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kronosforge.config import ModelConfig
from kronosforge.core.bars import Series, iso
from kronosforge.core.digests import json_bytes
from kronosforge.core.errors import UsageError
from kronosforge.core.files import publishing
from kronosforge.core.i18n import _
from kronosforge.core.locks import locked
from kronosforge.forecast import Forecast, Forecaster
from kronosforge.forecast.sampling import Sampler
from kronosforge.forecast.stacked import stacked
from kronosforge.forecast.weights import Pair, Weights, chosen
from kronosforge.report.forecast import ForecastChart, forecast_page, picture
from kronosforge.workflows.recent import Recent, recent
from kronosforge.workspace.paths import FORECAST, REPORT, forecast_folder, model_folder


class ForecastResult(NamedTuple):
    """A finished forecast: its folder and the content of its forecast.json."""

    folder: Path
    facts: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """What `forecast --json` prints."""
        return {**self.facts, "folder": str(self.folder)}


def forecast(
    config: ModelConfig,
    root: Path,
    environ: Mapping[str, str],
    *,
    series: Sequence[str] = (),
    at: str | None = None,
    weights: Weights | None = None,
    sliding: Literal["exact", "approximate"] = "exact",
    raw: bool = False,
    folder: Path | None = None,
) -> ForecastResult:
    """Sample the next `config.dataset.predict` bars of each series, or of those named.

    `at` is the instant to forecast from (ISO 8601; now by default). `weights`: by default those that the evaluation chose,
    else fine-tuned, else the start checkpoint. `raw` keeps candles that no market can trade. Written to `folder`, by default
    outputs/forecasts/<model>/<newest bar>/, finished or absent. Raises UsageError for an unknown series, SourceError
    where candles cannot be fetched, DataError where a series is too short or the evaluation is damaged, ModelError without usable weights.
    """
    config = _only(config, series)
    pair = chosen(model_folder(root, config.name), config.train, weights)
    _refuse_other_clip(config, pair)
    histories = recent(config, root, environ, bars=config.dataset.lookback, horizon=config.dataset.predict, at=at)
    settings = config.forecast
    forecaster = Forecaster(*pair.load(), device=config.train.device, clip=config.dataset.clip)
    forecasts = forecaster.sample(
        {str(series): bars for series, bars in histories.items()},
        settings.samples,
        Sampler(temperature=settings.temperature, top_k=settings.top_k, top_p=settings.top_p),
        seed=settings.seed,
        sliding=sliding,
        raw=raw,
    )
    newest = max(int(bars.times[-1]) for bars in histories.values())
    folder = folder or forecast_folder(root, config.name, iso(newest))
    facts = {
        "model": config.name,
        "weights": pair.facts,
        "raw": raw,
        "lookback": config.dataset.lookback,
        "horizon": config.dataset.predict,
        **settings.model_dump(),
        "series": {str(key): _facts(bars, forecasts[str(key)], settings.quantiles) for key, bars in histories.items()},
    }
    charts = [_chart(series, bars, forecasts[str(series)], settings.quantiles) for series, bars in histories.items()]
    _write(folder, facts, charts, forecasts, root)
    return ForecastResult(folder, facts)


def _refuse_other_clip(config: ModelConfig, pair: Pair) -> None:
    """Raise UsageError where the config clips bars elsewhere than the training of `pair` did."""
    if pair.clip not in (None, config.dataset.clip):
        raise UsageError(
            _(
                "dataset.clip is {clip:g}, and {name} was trained with {trained:g}; set it back, or prepare and train again "
                "with --force",
                clip=config.dataset.clip,
                name=config.name,
                trained=pair.clip,
            )
        )


def _only(config: ModelConfig, names: Sequence[str]) -> ModelConfig:
    """`config` with the series named; with all of them where none is."""
    if not names:
        return config
    keys = {str(series) for series in config.series}
    if unknown := [name for name in names if name not in keys]:
        raise UsageError(
            _(
                "{unknown}: not a series of {name}; it has {names}",
                unknown=", ".join(unknown),
                name=config.name,
                names=", ".join(sorted(keys)),
            )
        )
    return config.model_copy(update={"target_symbols": list(names)})


def _facts(bars: Recent, sampled: Forecast, levels: Sequence[float]) -> dict[str, Any]:
    """What forecast.json says of one series: the fan of the close, the chance of a rise, and what was repaired."""
    last = float(bars.values[-1, 3])
    close = zip(levels, sampled.quantile("close", levels).tolist(), strict=True)
    return {
        "origin": iso(int(bars.times[-1])),
        "last_close": last,
        "times": [iso(int(time)) for time in bars.ahead],
        "close": {str(level): values for level, values in close},
        "p_up": float((sampled.feature("close")[:, -1] > last).mean()),
        "violations": sampled.violations._asdict(),
    }


def _write(
    folder: Path,
    facts: dict[str, Any],
    charts: Sequence[ForecastChart],
    forecasts: Mapping[str, Forecast],
    root: Path,
) -> None:
    pictures = {f"{chart.key}.svg": picture(chart) for chart in charts}
    tables = stacked(forecasts, list(facts["quantiles"]))
    names = ("paths.parquet", "quantiles.parquet", "quantiles.csv", REPORT, *pictures)
    with (
        locked(folder, _("the forecast {folder}", folder=folder)),
        publishing(folder, FORECAST, (*names, *_other_pictures(folder, pictures))) as staging,
    ):
        tables.paths.to_parquet(staging / "paths.parquet")
        tables.quantiles.to_parquet(staging / "quantiles.parquet")
        tables.quantiles.to_csv(staging / "quantiles.csv", lineterminator="\n")
        for name, svg in pictures.items():
            (staging / name).write_text(svg, "utf-8")
        (staging / REPORT).write_text(forecast_page(facts, charts, root, folder), "utf-8")
        (staging / FORECAST).write_bytes(json_bytes(facts))


def _other_pictures(folder: Path, pictures: Mapping[str, str]) -> list[str]:
    """The pictures in `folder` of series that an earlier forecast had and this one has not."""
    return [path.name for path in folder.glob("*.svg") if path.name not in pictures]


def _chart(series: Series, bars: Recent, sampled: Forecast, quantiles: Sequence[float]) -> ForecastChart:
    levels = sorted({*quantiles, 0.5})
    return ForecastChart(
        str(series),
        series.bar.length,
        bars.times.tolist(),
        bars.values[:, :4],
        bars.ahead.tolist(),
        levels,
        sampled.quantile("close", levels),
        sampled.feature("close"),
    )
