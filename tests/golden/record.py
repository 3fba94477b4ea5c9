"""What must not change: bytes of datasets, forecast paths, figures of an evaluation, a loss curve, exit codes, JSON keys.

`values.json` holds the values of the day they were nailed down, made by `python tests/golden/record.py`. A value changes
only with a dated entry in docs/decisions.md that says why the old one was wrong. Everything here goes through the command
line, so that the values outlive any change of the code's structure.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

VALUES = Path(__file__).with_name("values.json")
SHARED = Path(__file__).resolve().parents[3] / "shared"

# The reference weights, so that no figure hangs on how random weights are drawn.
CONFIG = """
from kronosforge.config import DatasetConfig, EvaluateConfig, ForecastConfig, ModelConfig, SourceConfig, TrainConfig

config = ModelConfig(
    model_name="Golden",
    target_symbols=["BTC-USDT-SWAP_4H", "ETH-USDT-SWAP_4H"],
    records_per_timeframe=300,
    source=SourceConfig(name="sandbox"),
    dataset=DatasetConfig(lookback=16, predict=4),
    train=TrainConfig(
        tokenizer={tokenizer!r}, predictor={predictor!r}, epochs=2, batch_size=32, windows_per_epoch=96, device="cpu",
        tokenizer_lr=1e-3, predictor_lr=1e-3,
    ),
    forecast=ForecastConfig(samples=4, seed=7),
    evaluate=EvaluateConfig(samples=8, stride=2, replicates=100, seed=3),
)
"""
REAL = """
from kronosforge.config import DatasetConfig, ModelConfig, SourceConfig

config = ModelConfig(
    model_name="Real_{venue}",
    target_symbols={keys!r},
    records_per_timeframe=2000,
    source=SourceConfig(name="files:{folder}"),
    dataset=DatasetConfig(lookback=48, predict=12),
)
"""
# Real candles by the names that the files source reads: file in shared/data → series key.
CANDLES = {
    "okx": {"BTC-USD-SWAP_4H.csv": "BTC-USD-SWAP_4H", "BTC-USDT-SWAP_4H.csv": "BTC-USDT-SWAP_4H"},
    "bybit": {"BTCUSDT_1h.csv": "BTCUSDT_1H"},
    "binance": {"ETHUSDT_1h_gaps.csv.gz": "ETHUSDT_1H"},
}
# Keys whose values are times, versions or digests of them, or sentences: their figures are compared by themselves.
VARYING = re.compile(
    r"(^|\.)(created_at|modified|versions\..*|.*fingerprint|sha256\..*|provenance\.(?!settings).*|evaluation|sentence\..*"
    r"|notes\[.*|.*label\..*)$"
)


class Workspace:
    """A workspace of its own in `folder`, and the command line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.codes: dict[str, int] = {}
        self.keys: dict[str, list[str]] = {}
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("KRONOS_", "HF_"))},
            "KRONOS_LANG": "en",
            "KRONOS_SOURCE": "sandbox",
            "OMP_NUM_THREADS": "1",
            "PYTHONIOENCODING": "utf-8",
        }
        self.run("init", ".", name="init")
        configs = self.folder / "Kronos" / "finetune"
        reference = SHARED / "kronos_reference"
        pair = {"tokenizer": str(reference / "tokenizer_tiny"), "predictor": str(reference / "predictor_tiny")}
        (configs / "config_golden.py").write_text(CONFIG.format(**pair), "utf-8")
        for venue, names in CANDLES.items():
            (self.folder / venue).mkdir()
            for name, key in names.items():
                suffix = ".csv.gz" if name.endswith(".gz") else ".csv"
                (self.folder / venue / f"{key}{suffix}").write_bytes((SHARED / "data" / venue / name).read_bytes())
            text = REAL.format(venue=venue, keys=list(names.values()), folder=venue)
            (configs / f"config_real_{venue}.py").write_text(text, "utf-8")

    def run(self, *arguments: str, name: str = "", script: str = "", **variables: str) -> str:
        """Run a command line; its exit code, and the keys of what it prints with --json, are kept under `name`."""
        command = [sys.executable, *([script] if script else ["-m", "kronosforge"]), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env={**self._environ, **variables}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, encoding="utf-8", check=False,
        )  # fmt: skip
        name = name or " ".join([Path(script).name, *arguments]).strip()
        self.codes[name] = done.returncode
        if done.returncode not in (0, 2):
            raise AssertionError(f"{name}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        if "--json" in arguments and done.returncode == 0:
            self.keys[name] = sorted(set(map(_placeholders, _flat(json.loads(done.stdout)))))
        return done.stdout

    def read(self, path: str) -> Any:
        """The JSON file at `path`."""
        return json.loads((self.folder / path).read_text("utf-8"))


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted key → leaf; elements of lists by their number."""
    if isinstance(value, dict):
        parts = [_flat(part, f"{prefix}.{key}" if prefix else str(key)) for key, part in value.items()]
    elif isinstance(value, list):
        parts = [_flat(part, f"{prefix}[{number}]") for number, part in enumerate(value)]
    else:
        return {prefix: value}
    return {key: leaf for part in parts for key, leaf in part.items()} or {prefix: f"empty {type(value).__name__}"}


def _placeholders(key: str) -> str:
    """`key` without what differs from series to series, model to model and run to run."""
    key = re.sub(r"\[\d+\]", "[]", key)
    key = re.sub(r"[A-Z0-9]+-USDT?-SWAP_\d+[A-Z](#\d+)?", "<series>", key)
    key = re.sub(r"(?<![\w])(model_a_4h|model_b_1d|golden)(?![\w])", "<model>", key)
    return re.sub(r"(?<=close\.)0\.\d+|(?<=quantiles\.)0\.\d+", "<level>", key)


def datasets(workspace: Workspace) -> dict[str, str]:
    """SHA-256 of each pickle and native array of the guide's two models and of real candles."""
    models = ["model_a_4h", "model_b_1d", *(f"real_{venue}" for venue in CANDLES)]
    for model in models:
        source = {} if model.startswith("model") else {"KRONOS_SOURCE": ""}
        workspace.run("--config", model, name=f"prepare {model}", script="prepare_kronos_data_simple.py", **source)
    digests = {}
    for model in models:
        folder = workspace.folder / "data" / "kronos_datasets" / model
        for path in sorted([*folder.glob("*.pkl"), *folder.glob("native/**/*")]):
            if path.is_file():
                digests[f"{model}/{path.relative_to(folder).as_posix()}"] = hashlib.sha256(
                    path.read_bytes()
                ).hexdigest()
    return digests


def guide(workspace: Workspace) -> None:
    """The exit codes of the guide's commands where they stand in it; `datasets` has prepared both models."""
    prepare = "prepare_kronos_data_simple.py"
    for arguments in (
        ["--help"],
        ["--list-configs"],
        ["--config", "model_a_4h", "--dry-run"],
        ["--config", "model_a_4h", "--timeframes", "4H", "1D", "--output-dir", "custom_data/both"],
        ["--config", "model_b_1d", "--records-per-timeframe", "1500", "--output-dir", "custom_data/short"],
        ["--config", "model_a_4h", "--force"],
        ["--config", "no_such_model"],
    ):
        workspace.run(*arguments, script=prepare)
    workspace.run(script="test_multi_data_preparation.py")


def json_keys(workspace: Workspace) -> None:
    """The keys of every command that prints JSON before there is a model."""
    workspace.run("configs", "--json")
    workspace.run("check", "--source", "sandbox", "--json")
    workspace.run("prepare", "--config", "golden", "--dry-run", "--json")
    workspace.run("prepare", "--config", "golden", "--explain", "--json")
    workspace.run("prepare", "--config", "golden", "--json")
    workspace.run("verify", "golden", "--json")
    workspace.run("inspect", "--json")
    workspace.run("train", "--models", "golden", "--dry-run", "--json")


def training(workspace: Workspace) -> dict[str, Any]:
    """The losses of a tiny training, epoch by epoch."""
    workspace.run("train", "--models", "golden", "--json")
    curve = {}
    for stage in ("tokenizer", "predictor"):
        progress = workspace.read(f"outputs/models/golden/{stage}/last/training.json")["progress"]
        curve |= _flat({stage: progress["epochs"]})
    return curve


def forecast(workspace: Workspace) -> dict[str, Any]:
    """The paths of a forecast by the reference weights, by series, feature and bar."""
    import pandas as pd

    workspace.run(
        "forecast", "--config", "golden", "--weights", "pretrained", "--at", "2025-12-01", "--out", "forecast", "--json",
        name="forecast --json",
    )  # fmt: skip
    paths = pd.read_parquet(workspace.folder / "forecast" / "paths.parquet")
    return {f"{column}[{row}]": float(value) for column in paths for row, value in enumerate(paths[column])}


def evaluation(workspace: Workspace) -> dict[str, Any]:
    """Every figure of the evaluation of the model that was trained."""
    workspace.run("evaluate", "--config", "golden", "--json")
    figures = _flat(workspace.read("outputs/models/golden/evaluation.json"))
    return {key: value for key, value in figures.items() if not VARYING.search(key)}


def folds(workspace: Workspace) -> None:
    """The keys of a walk-forward."""
    workspace.run("evaluate", "--config", "golden", "--folds", "2", "--json")


def pipeline(workspace: Workspace) -> None:
    """The keys of the whole way; everything is finished already."""
    workspace.run("pipeline", "--models", "golden", "--json")


def record(folder: Path) -> dict[str, Any]:
    """Every value, made in a workspace in `folder`."""
    workspace = Workspace(folder)
    values: dict[str, Any] = {"datasets": datasets(workspace)}
    guide(workspace)
    json_keys(workspace)
    values["training"] = training(workspace)
    values["forecast"] = forecast(workspace)
    values["evaluation"] = evaluation(workspace)
    folds(workspace)
    pipeline(workspace)
    return values | {"exit codes": workspace.codes, "json keys": workspace.keys}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        VALUES.write_text(json.dumps(record(Path(made)), indent=1, ensure_ascii=False) + "\n", "utf-8")
