"""The peer of bench_loader.py: upstream's finetune/dataset.py with torch's DataLoader, as its trainer builds it.

python benchmarks/peer_upstream.py CHECKOUT/finetune WORKERS BATCH     reads ./train_data.pkl; prints windows a second
"""

import sys
import time
import types

from torch.utils.data import DataLoader

from kronosforge.config import DatasetConfig
from kronosforge.core.candles import FEATURES

SECONDS = 4.0  # long enough for a steady rate


class Config:
    """What upstream's dataset.py imports from a module `config` beside it."""

    rules = DatasetConfig()
    dataset_path, seed, n_train_iter, n_val_iter = ".", 100, 10**9, 10**9
    lookback_window, predict_window, clip = rules.lookback, rules.predict, rules.clip
    feature_list, time_feature_list = FEATURES, ["minute", "hour", "weekday", "day", "month"]


def run(workers: int, batch: int) -> float:
    """Windows a second, from the first batch on."""
    from dataset import QlibDataset  # noqa: PLC0415

    batches = iter(DataLoader(QlibDataset("train"), batch, num_workers=workers))
    next(batches)
    began, windows = time.perf_counter(), 0
    while time.perf_counter() < began + SECONDS:
        windows += len(next(batches)[0])
    return windows / (time.perf_counter() - began)


if __name__ == "__main__":
    finetune, workers, batch = sys.argv[1:]
    sys.path.append(finetune)
    sys.modules["config"] = types.ModuleType("config")
    sys.modules["config"].Config = Config
    print(run(int(workers), int(batch)))
