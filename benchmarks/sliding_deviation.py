"""How far `sliding="approximate"` leads away from the exact forecast once the context slides, and what it saves.

    python benchmarks/sliding_deviation.py [--tokenizer DIR --predictor DIR] [--horizon 24] [--samples 64] [--series 4]

The context is full from the first bar. Printed: by how much of the exact 90 % fan the median close of the last bar moves,
the same for an exact forecast with another seed, which is the sampling noise to hold it against, and both times. Without
checkpoints, the preset `small` with random weights: those say little about trained ones.
"""

import argparse
import time
from pathlib import Path

import bench_forecast
import numpy as np
import torch

from kronosforge.forecast import Forecast, Forecaster
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer


def build(tokenizer: Path | None, predictor: Path | None, context: int) -> Forecaster:
    """With the given checkpoints, or random weights."""
    if tokenizer and predictor:
        return Forecaster.from_pretrained(tokenizer, predictor, max_context=context)
    torch.manual_seed(0)
    small = PRESETS["small"]
    return Forecaster(KronosTokenizer(small.tokenizer), KronosPredictor(small.predictor), max_context=context)


def moved(reference: dict[str, Forecast], other: dict[str, Forecast]) -> float:
    """The mean over series of how far the last bar's median close moves, in widths of the 90 % fan of `reference`."""
    widths = []
    for key, forecast in reference.items():
        low, middle, high = np.quantile(forecast.feature("close")[:, -1], [0.05, 0.5, 0.95])
        widths.append(abs(np.median(other[key].feature("close")[:, -1]) - middle) / (high - low))
    return float(np.mean(widths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--predictor", type=Path)
    for name, default in (
        ("--context", bench_forecast.LOOKBACK),
        ("--horizon", 24),
        ("--samples", 64),
        ("--series", 4),
    ):
        parser.add_argument(name, type=int, default=default)
    given = parser.parse_args()
    forecaster = build(given.tokenizer, given.predictor, given.context)
    frames = {f"S{n}_4H": bench_forecast.candles(n) for n in range(given.series)}
    forecasts, took = {}, {}
    for name, options in {"exact": {}, "approximate": {"sliding": "approximate"}, "another seed": {"seed": 1}}.items():
        began = time.perf_counter()
        forecasts[name] = forecaster.forecast(frames, given.horizon, given.samples, top_p=1.0, **options)
        took[name] = time.perf_counter() - began
    for name in ("approximate", "another seed"):
        print(f"{name}: the median moves by {moved(forecasts['exact'], forecasts[name]):.3f} of the fan")
    print(f"seconds: exact {took['exact']:.1f}, approximate {took['approximate']:.1f}")


if __name__ == "__main__":
    main()
