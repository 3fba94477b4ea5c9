"""Upstream's own finetune/dataset.py reads our pickles, and finds as many windows as we said.

Runs where KRONOS_HOME names a checkout of shiyu-coder/Kronos and torch is installed.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kronosforge.config import DatasetConfig, SplitConfig
from kronosforge.core.bars import series
from kronosforge.core.candles import FEATURES
from kronosforge.dataset import DatasetWriter
from kronosforge.dataset.windows import Windows
from kronosforge.split import cuts

DATASET = Path(os.environ.get("KRONOS_HOME", "")) / "finetune" / "dataset.py"
RULES = DatasetConfig()

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KRONOS_HOME"), reason="KRONOS_HOME names no checkout of Kronos"),
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="upstream's dataset needs torch"),
]

# Upstream's file imports its settings from a module `config` beside it.
CONFIG = f"""
class Config:
    dataset_path, seed, n_train_iter, n_val_iter = ".", 100, 10**9, 10**9
    lookback_window, predict_window, clip = {RULES.lookback}, {RULES.predict}, {RULES.clip}
    feature_list = {FEATURES}
    time_feature_list = ["minute", "hour", "weekday", "day", "month"]
"""
# Its __getitem__ ignores the index that it is given and draws one: here the last.
PROGRAM = """
import json, sys
sys.path.append(sys.argv[1])
from dataset import QlibDataset
said = {}
for split in ("train", "val"):
    data = QlibDataset(split)
    data.py_rng.randint = lambda low, high: high
    x, stamp = data[0]
    said[split] = [len(data), len(data.indices), x.tolist(), stamp.tolist()]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, shared):
    """A dataset of real candles in two segments."""
    folder = tmp_path_factory.mktemp("dataset")
    raw = pl.read_csv(shared / "data/okx/BTC-USDT-SWAP_4H.csv")
    names = dict(zip(["ts", *FEATURES], ["ts", "open", "high", "low", "close", "volCcy", "volCcyQuote"], strict=True))
    frame = raw.select(pl.col(upstream_name).alias(ours) for ours, upstream_name in names.items())
    frame = frame.with_columns(pl.exclude("ts").cast(pl.Float64), segment=pl.row_index() // 3000 + 1)
    btc = series("BTC-USDT-SWAP_4H")
    with DatasetWriter(folder, cuts([(btc, frame["ts"].to_numpy())], SplitConfig()), RULES.window) as writer:
        written = writer.add(btc, frame)
        writer.finish()
    return folder, written


@pytest.fixture(scope="module")
def seen(place):
    """What upstream's code said of it."""
    folder, _ = place
    (folder / "config.py").write_text(CONFIG, "utf-8")
    (folder / "probe.py").write_text(PROGRAM, "utf-8")
    command = [sys.executable, "probe.py", str(DATASET.parent.resolve())]
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("split", ["train", "val"])
def test_it_finds_as_many_windows_as_we_said(place, seen, split):
    _, written = place
    assert seen[split][:2] == [written.windows[split]] * 2


@pytest.mark.parametrize("split", ["train", "val"])
def test_its_last_window_is_ours_with_the_same_time_features(place, seen, split):
    folder, _ = place
    windows = Windows.open(folder, split, RULES)
    candles, stamps = windows.gather(np.array([len(windows) - 1]))
    assert candles[0] == pytest.approx(np.array(seen[split][2]), abs=1e-4)
    assert stamps[0].tolist() == seen[split][3]
