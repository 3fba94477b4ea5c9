"""Does an upstream Kronos checkout let the future into what its model sees? Asked by moving the future.

Upstream normalised training windows with statistics of the whole window until April 2026 (its pull request 234); a
checkout older than that trains on a leak. Its `finetune/dataset.py` is run as it is, on one window of ours, twice: the
second time only the bars after the lookback are moved. If the lookback's tensor moves with them, it leaks.
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
    """What the probe found: `ok`, `warn` (it could not be run) or `fail` (it leaks), and a sentence."""

    state: str
    detail: str


def probe_checkout(home: Path) -> Verdict:
    """Run `home/finetune/dataset.py` on a window and on the same window with another future."""
    dataset = home / "finetune" / "dataset.py"
    if not dataset.is_file():
        return Verdict("fail", _("no {name} in {parent}", name=dataset.name, parent=dataset.parent))
    if importlib.util.find_spec("torch") is None:
        return Verdict("warn", _("leak probe not run: it needs torch"))
    calm, moved = _lookback(dataset.parent, future=1.0), _lookback(dataset.parent, future=3.0)
    if isinstance(calm, str) or isinstance(moved, str):
        reason = calm if isinstance(calm, str) else moved
        return Verdict("warn", _("leak probe not run: {reason}", reason=reason))
    if np.array_equal(calm, moved):
        return Verdict("ok", _("leak probe: the future does not reach the lookback"))
    return Verdict(
        "fail",
        _("leak probe: the lookback changes with the future; update the checkout (its pull request 234)"),
    )


def _lookback(finetune: Path, future: float) -> NDArray[np.float64] | str:
    """The (LOOKBACK, 6) tensor that upstream makes when the bars after it are times `future`; or why it makes none."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "config.py").write_text(CONFIG, "utf-8")
        (place / "probe.py").write_text(PROGRAM, "utf-8")
        _write_window(place / "train_data.pkl", future)
        command = [sys.executable, "probe.py", str(finetune.resolve())]
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        return ran.stderr.strip().rpartition("\n")[2] or f"exit {ran.returncode}"
    return np.array(json.loads(ran.stdout.strip().rpartition("\n")[2]))[:LOOKBACK]


def _write_window(path: Path, future: float) -> None:
    bars = LOOKBACK + PREDICT + 1
    times = np.arange(bars, dtype=np.int64) * HOUR
    steps = np.arange(bars, dtype=np.float64)
    rising: NDArray[np.float64] = 100.0 + steps * np.where(steps < LOOKBACK, 1.0, future)
    with path.open("wb") as file:
        writer = PickleWriter(file)
        writer.add("PROBE_1H", times, [rising] * 6)
        writer.finish()
