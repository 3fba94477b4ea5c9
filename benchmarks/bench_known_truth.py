"""Whether the verdict is right on markets whose truth is known.

    python benchmarks/bench_known_truth.py [--seeds 40] [--jobs 2] [--dir DIR [--new N]]

Each seed is two markets of the sandbox, one without anything to foretell and one whose weekdays tell the share STRONG of
a day's move. On each, a model goes the whole way: candles over HTTP, prepare, tokenizer and predictor tiny and from
scratch, evaluate. Without an edge it is to be promoted in at most 5 % of markets, and the intervals are to hold the truth
as often as they claim: 0 for the IC; for a difference of CRPS, as a share, that of the same networks on another market of the kind,
six times as long. With one it is to be promoted, and to reach half the IC of an oracle that forecasts what the weekdays tell,
scored by the same code at the same origins. With --dir finished markets are kept and not run again; --new ends after so many.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest

from kronosforge.config import DatasetConfig, EvaluateConfig, ModelConfig, SourceConfig, SplitConfig, TrainConfig
from kronosforge.core.bars import instant
from kronosforge.core.digests import fingerprint
from kronosforge.core.files import write_atomic
from kronosforge.core.names import START, TUNED
from kronosforge.evaluate import evaluate
from kronosforge.evaluate.evaluation import judge
from kronosforge.evaluate.metrics import Paths
from kronosforge.evaluate.rolling import Caster, Lookback, by_model
from kronosforge.forecast import Forecaster
from kronosforge.forecast.weights import fine_tuned, start
from kronosforge.sandbox import Clock, Sandbox, Synthetic, serving
from kronosforge.train import train
from kronosforge.workflows.prepare import prepare
from kronosforge.workspace.paths import dataset_folders

NONE, STRONG = 0.0, 0.8
PROMOTED, DETECTED, REACHED = 0.05, 0.95, 0.5  # at most without an edge; at least with one; of the oracle's IC
LISTING, END = instant("2014-01-01"), instant("2029-01-01")  # the market's price is anchored in 2024
COIN, ANOTHER = "BTC-USDT", "ETH-USDT-SWAP"  # coins move apart
BASELINE = "random walk"
ELSEWHERE = 1000  # added to the seed of the market that tells the long run
MODEL = ModelConfig(
    name="known_truth",
    model_name="Known_Truth",
    target_symbols=[f"{COIN}_1D"],
    records_per_timeframe=3650,
    split=SplitConfig(train=0.6, val=0.1),  # 1,079 origins
    dataset=DatasetConfig(lookback=14, predict=3),
    train=TrainConfig(init="scratch", size="tiny", epochs=8, batch_size=32, device="cpu"),
    evaluate=EvaluateConfig(),
)
LONG_RUN = MODEL.model_copy(
    update={
        "name": "long_run",
        "target_symbols": [f"{COIN}_1D", f"{ANOTHER}_1D"],
        "dataset_path": "data/kronos_datasets/long_run",
        "split": SplitConfig(train=0.02, val=0.02),
        "evaluate": MODEL.evaluate.model_copy(update={"stride": MODEL.dataset.predict}),
    }
)


SETTINGS = fingerprint(
    [config.model_dump(mode="json") for config in (MODEL, LONG_RUN)] + [LISTING, END]
)  # what is kept under others is run anew


def market(seed: int, edge: float) -> Synthetic:
    """A market of known truth, listed long enough ago."""
    return Synthetic(seed, edge=edge, listing=dict.fromkeys((COIN, ANOTHER), LISTING))


def make(config: ModelConfig, root: Path, traded: Synthetic) -> None:
    """Prepare `config` in the workspace `root` from an exchange that trades in this market."""
    with serving(Sandbox(traded, Clock(END), rate_limits=False)) as server:
        asked = config.model_copy(update={"source": SourceConfig(name="okx", url=server.url)})
        prepare(asked, dataset_folders(asked, root, copy=False), {})


def oracle(traded: Synthetic) -> Caster:
    """Forecasts what the weekdays tell, and nothing else."""

    def cast(lookback: Lookback) -> Paths:
        moves = np.array([[traded.expected_move(COIN, day) for day in row] for row in lookback.ahead.tolist()])
        nothing = np.full(len(moves), np.nan)
        return Paths(np.expm1(moves.cumsum(axis=1))[:, None], nothing, nothing)

    return cast


def measure(seed: int, edge: float) -> dict[str, Any]:
    """One market, one model, all the way."""
    began, traded = time.perf_counter(), market(seed, edge)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        make(MODEL, root, traded)
        train(MODEL, root)
        evaluation = evaluate(MODEL, root)
        best = judge(MODEL.evaluate, root / MODEL.dataset_path, MODEL.dataset, {"oracle": oracle(traded)},
                     seen=False, scratch=True)  # fmt: skip
        return {
            "seed": seed,
            "edge": edge,
            "settings": SETTINGS,
            "promoted": evaluation["verdict"]["promote"],
            "baseline": evaluation["verdict"]["baseline"],
            "origins": evaluation["origins"],
            "ic": {name: scores["pooled"]["ic"] for name, scores in (evaluation["models"] | best["models"]).items()},
            "crps": {name: scores["pooled"]["crps"] for name, scores in evaluation["models"].items()},
            "difference": _crps(evaluation),
            "long_run": None if edge else _crps(long_run(root, seed)),
            "seconds": round(time.perf_counter() - began, 1),
        }


def long_run(root: Path, seed: int) -> dict[str, Any]:
    """The evaluation of the networks trained in `root` on a longer market without an edge, at origins a horizon apart."""
    make(LONG_RUN, root, market(seed + ELSEWHERE, NONE))
    pairs = {TUNED: fine_tuned(root / "outputs" / "models" / MODEL.name, MODEL.train), START: start(MODEL.train)}
    casters = {
        name: by_model(Forecaster(*pair.load(), clip=MODEL.dataset.clip), LONG_RUN.evaluate)
        for name, pair in pairs.items()
    }
    return judge(LONG_RUN.evaluate, root / LONG_RUN.dataset_path, LONG_RUN.dataset, casters, seen=False, scratch=True)


def _crps(evaluation: dict[str, Any]) -> dict[str, Any]:
    return {other: figures["crps"] for other, figures in evaluation["differences"][TUNED].items()}


def results(folder: Path, seeds: int, jobs: int, new: int | None) -> list[dict[str, Any]]:
    """Of all markets that are finished, after running at most `new` of those that are not."""
    wanted = [(seed, edge) for seed in range(seeds) for edge in (NONE, STRONG)]
    waiting = [pair for pair in wanted if not _kept(folder, *pair)][:new]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for result in pool.map(measure, *zip(*waiting, strict=True)) if waiting else ():
            write_atomic(_file(folder, result["seed"], result["edge"]), json.dumps(result).encode())
    return [result for pair in wanted if (result := _kept(folder, *pair))]


def _file(folder: Path, seed: int, edge: float) -> Path:
    return folder / f"edge-{edge:g}-seed-{seed:03d}.json"


def _kept(folder: Path, seed: int, edge: float) -> dict[str, Any] | None:
    """A finished market of these settings."""
    path = _file(folder, seed, edge)
    result = json.loads(path.read_text("utf-8")) if path.exists() else None
    return result if result and result["settings"] == SETTINGS else None


def claims(finished: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """What the finished markets say."""
    none, strong = ([result for result in finished if result["edge"] == edge] for edge in (NONE, STRONG))
    if none:
        level = MODEL.evaluate.level
        yield share("no edge: promoted", [result["promoted"] for result in none], "≤", PROMOTED)
        yield share(
            "no edge: the interval of IC holds 0", [holds(result["ic"][TUNED], 0.0) for result in none], "=", level
        )
        for other in (START, BASELINE):
            inside = [in_the_long_run(result, other) for result in none]
            yield share(f"no edge: that of CRPS against {other} holds the long run's", inside, "=", level)
    if strong:
        yield share(f"edge {STRONG}: promoted", [result["promoted"] for result in strong], "≥", DETECTED)
        yield from reached(strong)


def share(name: str, which: list[bool], relation: str, limit: float) -> dict[str, Any]:
    """How often something was so, with the 95 % interval of Clopper and Pearson 1934; what is to equal the limit has it in
    there."""
    count, of = sum(which), len(which)
    low, high = binomtest(count, of).proportion_ci()
    ok = {"≤": count / of <= limit, "≥": count / of >= limit, "=": low <= limit <= high}[relation]
    numbers = {"ours": round(count / of, 3), "low": round(low, 3), "high": round(high, 3), "count": count, "of": of}
    return {"name": name, "unit": "share", **numbers, "limit": f"{relation} {limit}", "ok": bool(ok)}


def in_the_long_run(result: dict[str, Any], other: str) -> bool:
    """Whether the difference from `other` holds the long run's, which is itself known to half an interval."""
    truth = result["long_run"][other]
    return holds(result["difference"][other], truth["value"], truth["high"] - truth["value"])


def holds(interval: dict[str, float], truth: float, half: float = 0.0) -> bool:
    """Whether the interval does; that of a truth known to ± `half` is added in quadrature."""
    return bool(abs(interval["value"] - truth) <= np.hypot(interval["high"] - interval["value"], half))


def reached(strong: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """The mean IC beside the oracle's, and the least share of it in a market; beside, what needs no training has."""
    oracle_ic = np.array([result["ic"]["oracle"]["value"] for result in strong])
    for name, limit in ((TUNED, REACHED), (START, None), ("seasonal naive", None)):
        ic = np.array([result["ic"][name]["value"] for result in strong])
        means = {"ours": round(ic.mean(), 3), "oracle": round(oracle_ic.mean(), 3)}
        least, median = (round(float(figure), 3) for figure in (np.min(ic / oracle_ic), np.median(ic / oracle_ic)))
        ends = {"limit": f"least ≥ {limit}", "ok": least >= limit} if limit else {"limit": None}
        yield {
            "name": f"edge {STRONG}: IC of {name}",
            "unit": "mean",
            **means,
            "least": least,
            "median": median,
            **ends,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=1, help="markets at a time, a core each")
    parser.add_argument("--dir", type=Path, help="keep each finished market here, and go on from what is here")
    parser.add_argument("--new", type=int, help="run at most so many markets, and tell of those that are finished")
    parser.add_argument("--json", action="store_true", help="a JSON object per claim and line")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = given.dir or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        for row in claims(results(folder, given.seeds, given.jobs, given.new)):
            line = "  ".join(f"{key} {value}" for key, value in row.items() if value is not None)
            print(json.dumps(row, ensure_ascii=False) if given.json else line, flush=True)


if __name__ == "__main__":
    main()
