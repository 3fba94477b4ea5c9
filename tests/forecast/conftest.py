"""A tiny random model, the reference vectors, and candles as pandas."""

import os
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from kronosforge.forecast import Forecaster
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


REFERENCE = Path(os.environ.get("KRONOS_REFERENCE", Path(__file__).parents[3] / "shared" / "kronos_reference"))


@pytest.fixture(scope="session")
def reference() -> Path:
    return REFERENCE


@pytest.fixture(scope="session")
def vectors(reference: Path) -> dict[str, Tensor]:
    return load_file(reference / "vectors.safetensors")


@pytest.fixture(scope="session")
def candles(reference: Path) -> pd.DataFrame:
    """Columns timestamps, open, high, low, close, volume, amount; every 4 hours."""
    return pd.read_csv(reference / "candles.csv", parse_dates=["timestamps"])


@pytest.fixture(scope="session")
def tokenizer() -> KronosTokenizer:
    torch.manual_seed(1)
    return KronosTokenizer(PRESETS["tiny"].tokenizer).eval()


@pytest.fixture(scope="session")
def predictor() -> KronosPredictor:
    torch.manual_seed(2)
    network = KronosPredictor(PRESETS["tiny"].predictor).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)  # fresh weights hardly look at the past; and biases and norms are not 0 and 1
            parameter.add_(0.02 * torch.randn_like(parameter))
    return network


@pytest.fixture(scope="session")
def forecaster(tokenizer: KronosTokenizer, predictor: KronosPredictor) -> Forecaster:
    return Forecaster(tokenizer, predictor, max_context=64)
