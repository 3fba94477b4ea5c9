"""Workspaces as the stages leave them: a dataset's summary, journals of training, an evaluation."""

import json
import math
from pathlib import Path
from typing import Any

from kronosforge.core.candles import FEATURES
from kronosforge.core.digests import sha256

HOUR = 3_600_000
STEPS, EPOCHS = 90, 3
HEADLINE = {"tokenizer": "reconstruction", "predictor": "loss"}


def prepared(root: Path, summary: dict[str, Any], name: str = "model_a") -> None:
    """The dataset of a model."""
    folder = root / "data" / "kronos_datasets" / name
    folder.mkdir(parents=True)
    (folder / "data_summary.json").write_text(json.dumps(summary))
    (folder / "report.html").write_text("<!doctype html>")


def trained(
    root: Path, stage: str, data: str, name: str = "model_a", steps: int = STEPS, best: int = 2, finished: bool = True
) -> Path:
    """A stage's journal, progress and weights; returns its folder."""
    folder = root / "outputs" / "models" / name / stage
    (folder / "last").mkdir(parents=True)
    (folder / "best_model").mkdir()
    lines = [epoch(stage, 0, 0, best)]
    for step in range(1, steps + 1):
        lines.append(a_step(stage, step))
        if step % (steps // EPOCHS) == 0:
            lines.append(epoch(stage, step * EPOCHS // steps, step, best))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    facts = {"dataset": data, "init": "scratch", "size": "tiny", "epochs": EPOCHS, "seed": 100, "stage": stage}
    state = {"progress": {"finished": finished, "step": steps}, "facts": facts}
    (folder / "last" / "training.json").write_text(json.dumps(state))
    for file in ("config.json", "model.safetensors"):
        (folder / "best_model" / file).write_text(f"{stage} {file}")
    return folder


def a_step(stage: str, step: int) -> dict[str, Any]:
    loss = 4 * math.exp(-step / 20) + 0.1
    parts = (
        {"reconstruction": loss, "coarse": 2 * loss, "quantizer": -0.03}
        if stage == "tokenizer"
        else {"s1": loss, "s2": loss / 2}
    )
    return {"kind": "step", "step": step, "epoch": 1, "loss": loss, **parts, "norm": 1.0, "lr": 1e-3, "bars_per_s": 1.0}  # fmt: skip


def epoch(stage: str, number: int, step: int, best: int) -> dict[str, Any]:
    """Validation that falls until epoch `best`, and rises from there."""
    loss = 1.0 + abs(number - best)
    if stage == "tokenizer":
        features = {f"{key}_{name}": loss for key in ("reconstruction", "clipped") for name in FEATURES}
        val = {
            "reconstruction": loss,
            "coarse": 2 * loss,
            "clipped": 0.01,
            "s1_codes_used": 0.5,
            "s2_codes_used": 0.25,
            **features,
        }
    else:
        val = {"loss": loss, "s1": loss, "s2": loss / 2, "loss_with_lookback": loss}
    train = {HEADLINE[stage]: loss} if number else {}
    return {"kind": "epoch", "step": step, "epoch": number, "train": train, "val": val, "best": number <= best}  # fmt: skip


def evaluated(root: Path, data: str, name: str = "model_a", promote: bool = False) -> dict[str, Any]:
    """evaluation.json of the weights that stand there; returns what it says."""
    folder = root / "outputs" / "models" / name
    judged = {
        stage: {"source": f"{stage}/best_model", "sha256": {f.name: sha256(f) for f in best.iterdir()}}
        for stage in HEADLINE
        if (best := folder / stage / "best_model").exists()
    }
    forecasters = ("fine-tuned", "start", "last price", "random walk")
    better = interval(-0.2, 0.05)
    sentence = {"en": "No edge: keep the start checkpoint; why.", "zh": "没有优势:保留起始检查点;理由。"}
    if promote:
        sentence = {"en": "Promoted: use the fine-tuned model; why.", "zh": "采用:使用微调后的模型;理由。"}
    evaluation_content = {
        "schema": 2, "name": name, "fingerprint": "fe" * 32, "lookback": 90, "horizon": 10,
        "verdict": {"promote": promote, "keep": "start", "baseline": "random walk", "sentence": sentence},
        "origins": {"all": 600, "judged": 500, "possibly_seen": 100, "first": "2025-11-27T00:00Z", "last": "2025-12-30T08:00Z"},
        "models": {key: scores(key in forecasters[2:3]) for key in forecasters},
        "differences": {"fine-tuned": {
            "start": {"crps": better, "mae": better, "hit": interval(0.1, 0.05)},
            "random walk": {"crps": interval(0.2, 0.5), "mae": interval(0.3, 0.1), "hit": interval(-0.1, 0.3)},
        }},
        "possibly_seen": {"fine-tuned": scores(False)["pooled"]},
        "backtest": {"label": {"en": "A simple backtest.", "zh": "简单回测。"}, "fee_bps": 5.0, "slippage_bps": 2.0, "bars": {"4H": {
            "holdings": 17, "from": "2025-11-27T00:00Z", "to": "2025-12-30T16:00Z",
            "strategies": {"buy and hold": {"long": {
                "return": 0.108, "sharpe": interval(4.5, 8.0), "drawdown": 0.03, "turnover": 34.0, "turnover_per_year": 368.9,
            }}},
        }}},
        "examples": [example(which) for which in ("best", "median", "worst")],
        "notes": [{"en": "A note.", "zh": "说明。"}],
        "provenance": {
            "dataset": data, "models": {"fine-tuned": judged, "start": {}},
            "settings": {"stride": 1, "samples": 32, "level": 0.95}, "versions": {"python": "3.13.1", "torch": "2.9.0"},
        },
    }  # fmt: skip
    (folder / "evaluation.json").write_text(json.dumps(evaluation_content))
    return evaluation_content


def walked(root: Path, data: str, name: str = "model_a", folds: int = 3) -> dict[str, Any]:
    """folds/evaluation.json of a model trained as `trained` says; returns what it says."""
    judgement = {
        "verdict": {"promote": False, "keep": None, "baseline": "random walk", "sentence": {"en": "No edge over 3 folds; why.", "zh": "没有优势;理由。"}},
        "origins": {"judged": 160, "possibly_seen": 0, "first": "2025-12-01T00:00Z", "last": "2025-12-09T08:00Z"},
        "models": {key: {"pooled": scores(point=False)["pooled"]} for key in ("fine-tuned", "start", "random walk")},
    }  # fmt: skip
    train = {"init": "scratch", "size": "tiny", "epochs": EPOCHS, "seed": 100}
    promoted = {**judgement, "verdict": {**judgement["verdict"], "promote": True}}
    evaluation_content = {
        "schema": 1, "name": name, "fingerprint": "f0" * 32, **judgement,
        "folds": [{"fold": k, **(promoted if k == 2 else judgement)} for k in range(1, folds + 1)],
        "lower_in": {"start": 3, "random walk": 1},
        "notes": [{"en": "How it was pooled.", "zh": "合并方式。"}],
        "provenance": {
            "dataset": data, "folds": folds, "train": train, "settings": {"level": 0.95},
            "models": {"start": {"untrained": True}},
        },
    }  # fmt: skip
    folder = root / "outputs" / "models" / name / "folds"
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text(json.dumps(evaluation_content))
    return evaluation_content


def interval(value: float | None, half: float | None) -> dict[str, float | None]:
    if value is None or half is None:
        return {"value": value, "low": None, "high": None}
    return {"value": value, "low": value - half, "high": value + half}


def scores(point: bool) -> dict[str, Any]:
    """A forecaster's tables; a `point` forecast has neither spread nor side."""
    pooled = {key: interval(0.0123, 0.002) for key in ("crps", "mae", "mase", "hit")}
    spread = {
        key: interval(None if point else 0.5, 0.1) for key in ("ic", "coverage_50", "coverage_90", "vol_predicted")
    }
    calibration = {
        "pit": None if point else [0.1] * 10,
        "coverage": [[level, None if point else level] for level in (0.5, 0.9)],
    }
    return {"kind": "model", "pooled": pooled | spread, "series": {"A_4H": pooled}, "calibration": calibration}  # fmt: skip


def example(which: str) -> dict[str, Any]:
    time = [1_764_000_000_000 + i * 4 * HOUR for i in range(40)]
    close = [100.0 + i % 7 for i in range(40)]
    fan = {f"{q:g}": [104 + 10 * (q - 0.5)] * 10 for q in (0.05, 0.25, 0.5, 0.75, 0.95)}
    return {
        "which": which, "model": "fine-tuned", "series": "BTC-USDT-SWAP_4H", "origin": "2025-11-29T12:00Z", "crps": 0.0046,
        "history": {"time": time[:30], "close": close[:30]}, "ahead": {"time": time[30:], "close": close[30:]}, "quantiles": fan,
    }  # fmt: skip
