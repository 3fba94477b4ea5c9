"""The verdict on two markets whose truth is known, in short: benchmarks/bench_known_truth.py has the long form."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kronosforge.config import DatasetConfig, EvaluateConfig, ModelConfig, SourceConfig, SplitConfig, TrainConfig
from kronosforge.core.bars import instant
from kronosforge.evaluate import evaluate
from kronosforge.evaluate.evaluation import judge
from kronosforge.evaluate.metrics import Paths
from kronosforge.evaluate.rolling import Lookback
from kronosforge.sandbox import Clock, Sandbox, Synthetic, serving
from kronosforge.train.stages import train
from kronosforge.workflows.prepare import prepare
from kronosforge.workspace.paths import dataset_folders

COIN = "BTC-USDT"
CONFIG = ModelConfig(
    name="model_t",
    model_name="Model_T",
    target_symbols=[f"{COIN}_1D"],
    records_per_timeframe=2000,
    split=SplitConfig(train=0.6, val=0.1),
    dataset=DatasetConfig(lookback=10, predict=2),
    train=TrainConfig(init="scratch", size="tiny", epochs=5, batch_size=32, tokenizer_lr=4e-3, predictor_lr=3e-3),
    evaluate=EvaluateConfig(samples=16, replicates=400),
)


def known_moves(market: Synthetic, lookback: Lookback) -> Paths:
    """The oracle: what the weekdays tell, and nothing else."""
    moves = np.array([[market.expected_move(COIN, day) for day in row] for row in lookback.ahead.tolist()])
    nothing = np.full(len(moves), np.nan)
    return Paths(np.expm1(moves.cumsum(axis=1))[:, None], nothing, nothing)


def judged(root: Path, edge: float) -> dict[str, Any]:
    """The evaluation of a model that went the whole way on a market with such an edge, and the oracle's IC beside."""
    market = Synthetic(0, edge=edge)
    with serving(Sandbox(market, Clock(instant("2025-01-01")), rate_limits=False)) as server:
        config = CONFIG.model_copy(update={"source": SourceConfig(name="okx", url=server.url)})
        prepare(config, dataset_folders(config, root, copy=False), {})
    train(config, root)
    evaluation = evaluate(config, root)
    casters = {"oracle": partial(known_moves, market)}
    best = judge(config.evaluate, root / config.dataset_path, config.dataset, casters, seen=False, scratch=True)
    return evaluation | {"oracle": best["models"]["oracle"]["pooled"]["ic"]}


def test_where_there_is_no_edge_nothing_is_promoted(tmp_path: Path) -> None:
    evaluation = judged(tmp_path, edge=0.0)
    assert not evaluation["verdict"]["promote"]
    assert evaluation["verdict"]["sentence"]["en"].startswith("No edge: do not use this model; ")
    assert abs(evaluation["models"]["fine-tuned"]["pooled"]["ic"]["value"]) < 0.2
    assert evaluation["oracle"] == {"value": None, "low": None, "high": None}  # there is nothing that it could know


def test_where_there_is_one_it_is_found(tmp_path: Path) -> None:
    evaluation = judged(tmp_path, edge=0.8)
    assert evaluation["verdict"]["promote"]
    assert evaluation["verdict"]["keep"] == "fine-tuned"
    assert evaluation["models"]["fine-tuned"]["pooled"]["ic"]["value"] >= evaluation["oracle"]["value"] / 2
    assert evaluation["oracle"]["value"] == pytest.approx(0.8, abs=0.1)
