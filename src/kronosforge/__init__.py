"""From exchange candles to fine-tuned, honestly judged Kronos models. Names are imported when they are first used."""

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kronosforge.config import ModelConfig as ModelConfig
    from kronosforge.evaluate import evaluate as evaluate
    from kronosforge.folds import walk_forward as walk_forward
    from kronosforge.model import KronosPredictor as KronosPredictor
    from kronosforge.model import KronosTokenizer as KronosTokenizer
    from kronosforge.pipeline import PreparedDataset as PreparedDataset
    from kronosforge.pipeline import prepare as prepare
    from kronosforge.train import train as train
    from kronosforge.workspace import load_config as load_config

_HOMES = {
    "KronosPredictor": "model",
    "KronosTokenizer": "model",
    "ModelConfig": "config",
    "PreparedDataset": "pipeline",
    "evaluate": "evaluate",
    "load_config": "workspace",
    "prepare": "pipeline",
    "train": "train",
    "walk_forward": "folds",
}

__all__ = [
    "KronosPredictor",
    "KronosTokenizer",
    "ModelConfig",
    "PreparedDataset",
    "evaluate",
    "load_config",
    "prepare",
    "train",
    "walk_forward",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'kronosforge' has no attribute {name!r}")
    return getattr(importlib.import_module(f"kronosforge.{_HOMES[name]}"), name)
