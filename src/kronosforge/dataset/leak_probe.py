"""Check whether the training windows of an upstream Kronos checkout leak the future into the model's input.

Until April 2026 upstream normalised training windows with statistics of the whole window (fixed by its pull request 234),
so an older checkout trains on a leak. The probe runs its unchanged `finetune/dataset.py` twice on one window, the second
time with other bars after the lookback. If the tensor of the lookback changes, the checkout leaks.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kronosforge.core.bars import HOUR
from kronosforge.core.i18n import _
from kronosforge.dataset.pickles import PickleWriter

LOOKBACK, PREDICT = 8, 4

# Upstream's modules import each other by bare names, `from config import Config` among them.
CONFIG = f"""
class Config:
    dataset_path = "."
    lookback_window, predict_window, clip, seed = {LOOKBACK}, {PREDICT}, 5.0, 1
    n_train_iter = n_val_iter = 1
    feature_list = ["open", "high", "low", "close", "vol", "amt"]
    time_feature_list = ["minute", "hour", "weekday", "day", "month"]
"""
PROGRAM = """
import json, sys
sys.path.append(sys.argv[1])
from dataset import QlibDataset
x, _ = QlibDataset("train")[0]
print(json.dumps(x.tolist()))
"""


class Verdict(NamedTuple):
    """The result of the probe: `ok`, `warn` (it could not run) or `fail` (it leaks), and a sentence."""

    state: str
    detail: str


def probe_checkout(home: Path) -> Verdict:
    """Run `home/finetune/dataset.py` on a window and on the same window with another future."""
    dataset = home / "finetune" / "dataset.py"
    if not dataset.is_file():
        return Verdict("fail", _("no {name} in {parent}", name=dataset.name, parent=dataset.parent))
    if importlib.util.find_spec("torch") is None:
        return Verdict("warn", _("leak probe not run: it needs torch"))
    tensors = []
    for future in (1.0, 3.0):
        tensor = _lookback(dataset.parent, future)
        if isinstance(tensor, str):
            return Verdict("warn", _("leak probe not run: {reason}", reason=tensor))
        tensors.append(tensor)
    if np.array_equal(tensors[0], tensors[1]):
        return Verdict("ok", _("leak probe: the future does not reach the lookback"))
    return Verdict(
        "fail",
        _("leak probe: the lookback changes with the future; update the checkout (its pull request 234)"),
    )


def _lookback(finetune: Path, future: float) -> NDArray[np.float64] | str:
    """Upstream's (LOOKBACK, 6) tensor of a window whose prices rise `future` times as fast after it, or the error."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.py").write_text(CONFIG, "utf-8")
        (folder / "probe.py").write_text(PROGRAM, "utf-8")
        _write_window(folder / "train_data.pkl", future)
        command = [sys.executable, "probe.py", str(finetune.resolve())]
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        return done.stderr.strip().rpartition("\n")[2] or f"exit {done.returncode}"
    return np.array(json.loads(done.stdout.strip().rpartition("\n")[2]))[:LOOKBACK]


def _write_window(path: Path, future: float) -> None:
    bars = LOOKBACK + PREDICT + 1
    times = np.arange(bars, dtype=np.int64) * HOUR
    steps = np.arange(bars, dtype=np.float64)
    rising: NDArray[np.float64] = 100.0 + steps * np.where(steps < LOOKBACK, 1.0, future)
    with path.open("wb") as file:
        writer = PickleWriter(file)
        writer.add("PROBE_1H", times, [rising] * 6)
        writer.finish()
