"""A workspace with a prepared dataset, and the config of a tiny model for it."""

import os
from pathlib import Path

from kronosforge.model.cpu import SETTINGS

os.environ.update(SETTINGS)  # before torch: other tests want the cores too

import pytest

pytest.importorskip("torch", reason="evaluation needs torch")

import torch

from kronosforge.config import DatasetConfig, EvaluateConfig, ModelConfig, SourceConfig, SplitConfig, TrainConfig
from kronosforge.workflows.prepare import prepare
from kronosforge.workspace.paths import dataset_folders

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def settings() -> EvaluateConfig:
    return EvaluateConfig(samples=6, replicates=200)


@pytest.fixture(scope="session")
def config(settings: EvaluateConfig) -> ModelConfig:
    """Three series of 250 4-hour bars of the sandbox's market, whose newest 20 % are the test split."""
    return ModelConfig(
        name="model_t",
        model_name="Model_T",
        timeframe="4H",
        target_symbols=["BTC-USD-SWAP", "BTC-USDT-SWAP", "ETH-USDT-SWAP"],
        records_per_timeframe=250,
        source=SourceConfig(name="sandbox"),
        split=SplitConfig(train=0.6, val=0.2),
        dataset=DatasetConfig(lookback=8, predict=4),
        train=TrainConfig(init="scratch", size="tiny", epochs=1, batch_size=16, windows_per_epoch=64),
        evaluate=settings,
    )


@pytest.fixture(scope="session")
def prepared_root(config: ModelConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("a workspace")
    prepare(config, dataset_folders(config, root, copy=False), {})
    return root


@pytest.fixture
def root(prepared_root: Path, tmp_path: Path) -> Path:
    """A workspace of its own, on the same dataset."""
    (tmp_path / "data").symlink_to(prepared_root / "data")
    return tmp_path
