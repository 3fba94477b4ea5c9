"""`kronosforge forecast`: the next bars of a model's series, as paths, quantiles and pictures."""

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronosforge.cli.console import print_table
from kronosforge.cli.train import knob_flags, needs_torch
from kronosforge.core.bars import Series, iso
from kronosforge.core.errors import UsageError
from kronosforge.core.files import locked, publishing
from kronosforge.core.i18n import tr
from kronosforge.report.fan import fan
from kronosforge.report.html import join, text
from kronosforge.workflows.recent import Recent, recent
from kronosforge.workspace.discovery import find_root
from kronosforge.workspace.loading import environment, load_config
from kronosforge.workspace.overrides import resolve
from kronosforge.workspace.paths import FORECAST, REPORT, forecast_folder, model_folder

if TYPE_CHECKING:
    from kronosforge.config import ModelConfig
    from kronosforge.forecast import Forecast

SHOWN = 120  # bars of history in a picture


def run(arguments: Namespace) -> int:
    """Forecast the config's series, or those named."""
    needs_torch(tr("forecasting", "预测"))
    root = Path(find_root(script=arguments.script))
    environ = environment(str(root))
    config = resolve(load_config(arguments.config, str(root)), knob_flags(arguments), environ).config
    config = _chosen(config, arguments.series)
    known = recent(config, root, environ, bars=config.dataset.lookback, horizon=config.dataset.predict, at=arguments.at)
    forecasts, weights = _forecast(config, root, arguments, known)
    newest = max(int(one.times[-1]) for one in known.values())
    folder = Path(arguments.out).absolute() if arguments.out else forecast_folder(root, config.name, iso(newest))
    facts = _facts(config, arguments, known, forecasts, weights)
    _write(folder, facts, known, forecasts, config)
    if arguments.json:
        print(json.dumps({**facts, "folder": str(folder)}, ensure_ascii=False))
    else:
        _print(facts, folder)
    return 0


def _chosen(config: "ModelConfig", names: list[str] | None) -> "ModelConfig":
    """`config` with the series named, all of them by default."""
    if not names:
        return config
    known = {str(series) for series in config.series}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            tr(
                f"{', '.join(unknown)}: not a series of {config.name}; it has {', '.join(sorted(known))}",
                f"{', '.join(unknown)} 不是 {config.name} 的序列;可用:{', '.join(sorted(known))}",
            )
        )
    return config.model_copy(update={"target_symbols": names})


def _forecast(
    config: "ModelConfig", root: Path, arguments: Namespace, known: Mapping[Series, Recent]
) -> tuple[dict[str, "Forecast"], dict[str, Any]]:
    from kronosforge.evaluate.checkpoints import chosen  # noqa: PLC0415 - loads torch
    from kronosforge.forecast import Forecaster  # noqa: PLC0415
    from kronosforge.forecast.sampling import Sampler  # noqa: PLC0415

    rules = config.forecast
    weights = chosen(model_folder(root, config.name), config.train, arguments.weights)
    forecaster = Forecaster(*weights.load(), device=config.train.device, clip=config.dataset.clip)
    found = forecaster.sample(
        {str(series): bars for series, bars in known.items()},
        rules.samples,
        Sampler(temperature=rules.temperature, top_k=rules.top_k, top_p=rules.top_p),
        seed=rules.seed,
        sliding=arguments.sliding,
        raw=arguments.raw,
    )
    return found, weights.facts


def _facts(
    config: "ModelConfig",
    arguments: Namespace,
    known: Mapping[Series, Recent],
    forecasts: Mapping[str, "Forecast"],
    weights: dict[str, Any],
) -> dict[str, Any]:
    """What forecast.json says: the median and the fan of the close, what was counted, and what it was made with."""
    levels = config.forecast.quantiles
    series = {}
    for one, bars in known.items():
        found = forecasts[str(one)]
        close = zip(levels, found.quantile("close", levels).tolist(), strict=True)
        series[str(one)] = {
            "origin": iso(int(bars.times[-1])),
            "last_close": float(bars.values[-1, 3]),
            "times": [iso(int(time)) for time in bars.ahead],
            "close": {str(level): values for level, values in close},
            "p_up": float((found.feature("close")[:, -1] > bars.values[-1, 3]).mean()),
            "violations": found.violations._asdict(),
        }
    return {
        "model": config.name,
        "weights": weights,
        "raw": arguments.raw,
        "lookback": config.dataset.lookback,
        "horizon": config.dataset.predict,
        **config.forecast.model_dump(),
        "series": series,
    }


def _write(
    folder: Path,
    facts: dict[str, Any],
    known: Mapping[Series, Recent],
    forecasts: Mapping[str, "Forecast"],
    config: "ModelConfig",
) -> None:
    from kronosforge.forecast.tables import stacked  # noqa: PLC0415 - loads pandas

    pictures = {f"{key}.svg": _picture(key, known, forecasts[key], config.forecast.quantiles) for key in forecasts}
    tables = stacked(forecasts, config.forecast.quantiles)
    names = ("paths.parquet", "quantiles.parquet", "quantiles.csv", REPORT, *pictures)
    with locked(folder, tr(f"the forecast {folder}", f"预测 {folder}")), publishing(folder, FORECAST, names) as staging:
        tables.paths.to_parquet(staging / "paths.parquet")
        tables.quantiles.to_parquet(staging / "quantiles.parquet")
        tables.quantiles.to_csv(staging / "quantiles.csv", lineterminator="\n")
        for name, picture in pictures.items():
            (staging / name).write_text(picture, "utf-8")
        (staging / REPORT).write_text(_page(facts, pictures), "utf-8")
        (staging / FORECAST).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _picture(key: str, known: Mapping[Series, Recent], found: "Forecast", levels: list[float]) -> str:
    bars = next(one for series, one in known.items() if str(series) == key)
    history = [(int(t), float(c)) for t, c in zip(bars.times[-SHOWN:], bars.values[-SHOWN:, 3], strict=True)]
    close = found.quantile("close", sorted({*levels, 0.5}))
    return fan(f"{key}: close", history, bars.ahead.tolist(), close.tolist())


def _page(facts: dict[str, Any], pictures: Mapping[str, str]) -> str:
    title = text(f"{facts['model']}: {tr('forecast', '预测')}")
    note = tr(
        f"{facts['samples']} paths a series, {facts['lookback']} bars seen, {facts['horizon']} ahead; line: median, bands: "
        f"quantiles {facts['quantiles']}. A fan shows what the model believes, not what it has been right about: see the "
        "evaluation.",
        f"每个序列 {facts['samples']} 条路径,已知 {facts['lookback']} 根,预测 {facts['horizon']} 根;线为中位数,带为分位数 "
        f"{facts['quantiles']}。扇形只是模型的信念,并不代表它的准确度:请看评估报告。",
    )
    figures = join(f"<figure>{picture}</figure>" for picture in pictures.values())  # type: ignore[misc]
    provenance = text(json.dumps({k: v for k, v in facts.items() if k != "series"}, indent=2, ensure_ascii=False))
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>body{{font:16px/1.6 sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}}"
        "figure{margin:1.5rem 0}svg{width:100%;height:auto;border:1px solid #e4e1da}pre{overflow:auto}</style></head>"
        f"<body><h1>{title}</h1><p>{text(note)}</p>{figures}<details><summary>{text(tr('made with', '生成参数'))}"
        f"</summary><pre>{provenance}</pre></details></body></html>\n"
    )


def _print(facts: dict[str, Any], folder: Path) -> None:
    low, high = min(facts["quantiles"]), max(facts["quantiles"])
    rows = [
        [
            key,
            one["origin"],
            one["times"][-1],
            f"{one['last_close']:.6g}",
            *(f"{one['close'][str(level)][-1]:.6g}" for level in (low, 0.5, high) if str(level) in one["close"]),
            f"{one['p_up']:.2f}",
            sum(one["violations"].values()),
        ]
        for key, one in facts["series"].items()
    ]
    levels = [f"q{level:g}" for level in (low, 0.5, high) if level in facts["quantiles"]]
    heads = [("series", "序列"), ("last bar", "末根"), ("until", "至"), ("close", "收盘")]
    print_table([*(tr(*pair) for pair in heads), *levels, "P(up)", tr("repaired", "修复")], rows)
    print(tr("Forecast:", "预测:"), folder)
