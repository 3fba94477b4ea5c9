"""Forecasts a step: our Forecaster against upstream's KronosPredictor, on the same weights and candles, in turns.

    KRONOS_HOME=../Kronos python benchmarks/bench_forecast.py [--json] [--repeat 3] [--peer-steps 8] [--threads N]

The preset `small` with random weights, saved by us and loaded by upstream; 400 bars known. A step is the time of the whole
call, from pandas to pandas, over the bars forecast, so that reading the known bars counts too. Each run is a process of its
own, warmed up, with the settings that each library makes for itself. Upstream is stopped after --peer-steps bars, whose
contexts are the shortest, and its share of 64 series is measured on 2 of them: both flatter it. The bound is the time to
read the weights of a step once from memory.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.model.cpu import SETTINGS

LOOKBACK, CONTEXT, SMALL = 400, 512, PRESETS["small"]


class Case(NamedTuple):
    """One measurement."""

    series: int
    samples: int
    horizon: int
    limit: float | None  # times upstream's speed, at least
    peer_series: int = 1
    peer_steps: int | None = None

    def __str__(self) -> str:
        return f"forecast: {self.series} series x {self.samples} samples, horizon {self.horizon}"


CASES = [
    Case(1, 1, 24, 20),
    Case(1, 1, 112, 20),
    Case(1, 5, 24, 60),
    Case(1, 5, 112, 60),
    Case(64, 8, 24, None, peer_series=2, peer_steps=2),
]


def candles(seed: int) -> pd.DataFrame:
    """A random walk of four-hourly bars."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, LOOKBACK)))
    opened = np.roll(close, 1)
    opened[0] = 100
    high, low = np.maximum(opened, close) * 1.003, np.minimum(opened, close) * 0.997
    volume = rng.lognormal(3, 1, LOOKBACK)
    columns = {"open": opened, "high": high, "low": low, "close": close, "volume": volume, "amount": volume * close}
    return pd.DataFrame(columns, pd.date_range("2024-01-01", periods=LOOKBACK, freq="4h", name="timestamps"))


def save_weights(folder: Path) -> None:
    """A random tokenizer and predictor."""
    torch.manual_seed(0)
    KronosTokenizer(SMALL.tokenizer).save_pretrained(folder / "tokenizer")
    KronosPredictor(SMALL.predictor).save_pretrained(folder / "predictor")


def ours(folder: Path, case: Case) -> Callable[[int], object]:
    """A forecast of so many bars, by us."""
    from kronosforge.forecast import Forecaster  # noqa: PLC0415  # it settles how Intel's library computes: not upstream's

    forecaster = Forecaster.from_pretrained(
        folder / "tokenizer", folder / "predictor", device="cpu", max_context=CONTEXT
    )
    frames = {f"S{number}_4H": candles(number) for number in range(case.series)}
    return lambda steps: forecaster.forecast(frames, steps, case.samples)


def peer(folder: Path, case: Case) -> Callable[[int], object]:
    """The same by upstream, in eval mode, which it forgets."""
    sys.path.insert(0, os.environ["KRONOS_HOME"])
    from model.kronos import Kronos, KronosPredictor, KronosTokenizer  # noqa: PLC0415

    network = Kronos.from_pretrained(str(folder / "predictor")).eval()
    tokenizer = KronosTokenizer.from_pretrained(str(folder / "tokenizer")).eval()
    predictor = KronosPredictor(network, tokenizer, device="cpu", max_context=CONTEXT)
    frames = [candles(number).reset_index() for number in range(case.peer_series)]
    times = [frame.timestamps for frame in frames]

    def work(steps: int) -> object:
        ahead = [pd.Series(pd.date_range(k.iloc[-1], periods=steps + 1, freq="4h")[1:]) for k in times]
        return predictor.predict_batch(frames, times, ahead, steps, sample_count=case.samples, verbose=False)

    return work


def job(name: str, folder: Path, number: int, steps: int, threads: int) -> float:
    """Seconds that `ours` or `peer` takes for so many bars, in a process of its own."""
    command = ["--job", name, "--dir", folder, "--case", str(number), "--steps", str(steps), "--threads", str(threads)]
    environment = {**os.environ, **(SETTINGS if name == "ours" else {})}  # as the command does
    line = [sys.executable, "-W", "ignore", __file__, *command]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, env=environment)
    return float(done.stdout.split()[-1])


def run(name: str, folder: Path, number: int, steps: int) -> float:
    """What that process does."""
    work = {"ours": ours, "peer": peer}[name](folder, CASES[number])
    work(2)
    return min(seconds(lambda: work(steps)) for _ in range(2))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def bound() -> dict[str, object]:
    """Milliseconds to read a step's weights once, at the bandwidth of summing what is too large for a cache."""
    predictor = KronosPredictor(SMALL.predictor)
    tables = (predictor.embedding, predictor.time_emb, predictor.dep_layer.cross_attn.q_proj)  # rows of these only
    read = sum(p.nbytes for p in predictor.parameters()) - sum(p.nbytes for t in tables for p in t.parameters())
    large = torch.ones(1 << 28)  # 1 GiB
    bandwidth = large.nbytes / min(seconds(large.sum) for _ in range(5))
    return {
        "name": "bound: the weights read once a step",
        "unit": "ms/step",
        "ours": round(1e3 * read / bandwidth, 2),
        "weights_MB": round(read / 1e6, 1),
        "bandwidth_GB/s": round(bandwidth / 1e9, 1),
    }


def claim(folder: Path, number: int, repeat: int, peer_steps: int, threads: int) -> dict[str, object]:
    """One line of results."""
    case = CASES[number]
    steps = case.peer_steps or min(peer_steps, case.horizon)
    share = case.series / case.peer_series
    rows = []
    for _ in range(repeat):
        seconds = job("ours", folder, number, case.horizon, threads) / case.horizon
        rows.append((1e3 * seconds, 1e3 * job("peer", folder, number, steps, threads) * share / steps))
    ours_ms, peer_ms = (min(column) for column in zip(*rows, strict=True))
    ratio = peer_ms / ours_ms
    return {
        "name": str(case),
        "unit": "ms/step",
        "ours": round(ours_ms, 2),
        "peer": round(peer_ms, 1),
        "ratio": round(ratio, 1),
        "limit": case.limit,
        "ok": case.limit is None or ratio >= case.limit,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeat", type=int, default=3, help="runs of each, in turns, of which the fastest counts: noise only adds"
    )
    parser.add_argument("--peer-steps", type=int, default=8, help="bars that upstream forecasts")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true", help="a JSON object per claim and line")
    parser.add_argument("--job", choices=["ours", "peer"], help=argparse.SUPPRESS)
    for name, kind in (("--dir", Path), ("--case", int), ("--steps", int)):
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.job:
        print(run(given.job, given.dir, given.case, given.steps))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_weights(folder)
        lines = (claim(folder, n, given.repeat, given.peer_steps, given.threads) for n in range(len(CASES)))
        for result in chain([bound()], lines):
            line = "  ".join(f"{key} {value}" for key, value in result.items())
            print(json.dumps(result) if given.json else line, flush=True)


if __name__ == "__main__":
    main()
