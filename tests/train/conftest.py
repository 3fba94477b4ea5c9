"""A workspace with a prepared dataset of real candles, and a config that trains a tiny model on it in seconds."""

import os
from pathlib import Path

from kronosforge.model.cpu import SETTINGS

os.environ.update(SETTINGS)  # before torch: other tests want the cores too

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from kronosforge.config import DatasetConfig, ModelConfig, SourceConfig, SplitConfig, TrainConfig
from kronosforge.workflows.prepare import prepare
from kronosforge.workspace.paths import dataset_folders

torch.set_num_threads(1)

TINY = TrainConfig(init="scratch", size="tiny", epochs=2, batch_size=16, windows_per_epoch=96)


def model(shared: Path, rules: TrainConfig = TINY) -> ModelConfig:
    """A model on 400 real 4-hour bars."""
    return ModelConfig(
        name="model_t",
        model_name="Model_T",
        target_symbols=["BTC-USD-SWAP_4H", "BTC-USDT-SWAP_4H"],
        records_per_timeframe=250,
        source=SourceConfig(name=f"files:{shared / 'data' / 'okx'}"),
        split=SplitConfig(train=0.6, val=0.2),
        dataset=DatasetConfig(lookback=20, predict=4),
        train=rules,
    )


@pytest.fixture(scope="session")
def prepared_root(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("a workspace")
    config = model(shared)
    prepare(config, dataset_folders(config, root, copy=False), {})
    return root


@pytest.fixture
def root(prepared_root: Path, tmp_path: Path) -> Path:
    """A workspace of its own, on the same dataset."""
    (tmp_path / "w s").mkdir()
    (tmp_path / "w s" / "data").symlink_to(prepared_root / "data")
    return tmp_path / "w s"


@pytest.fixture
def config(shared: Path) -> ModelConfig:
    return model(shared)


def draw_nothing(stage) -> None:
    """Let the predictor's s2 complete the true s1 in training too, so that the loss is a function of the windows alone."""
    objective = stage.objective.eval()

    def forward(x, stamp):
        s1, s2 = objective._encode(x)
        logits = objective.network(s1[:, :-1], s2[:, :-1], stamp[:, :-1], s1[:, 1:])
        losses = [torch.nn.functional.cross_entropy(a.mT, b[:, 1:]) for a, b in zip(logits, (s1, s2), strict=True)]
        return {"loss": sum(losses) / 2}

    objective.forward = forward
