"""From exchange candles to fine-tuned, honestly judged Kronos models. Names are imported when they are first used."""

import importlib
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kronosforge.config import ModelConfig as ModelConfig
    from kronosforge.evaluate import evaluate as evaluate
    from kronosforge.forecast import Forecast as Forecast
    from kronosforge.forecast import Forecaster as Forecaster
    from kronosforge.model import KronosPredictor as KronosPredictor
    from kronosforge.model import KronosTokenizer as KronosTokenizer
    from kronosforge.train import train as train
    from kronosforge.workflows.prepare import PreparedDataset as PreparedDataset
    from kronosforge.workflows.prepare import prepare as prepare
    from kronosforge.workflows.walk_forward import walk_forward as walk_forward
    from kronosforge.workspace.loading import load_config as load_config

# Public name → the module that defines it.
_HOMES = {
    "Forecast": "forecast",
    "Forecaster": "forecast",
    "KronosPredictor": "model",
    "KronosTokenizer": "model",
    "ModelConfig": "config",
    "PreparedDataset": "workflows.prepare",
    "evaluate": "evaluate",
    "load_config": "workspace.loading",
    "prepare": "workflows.prepare",
    "train": "train",
    "walk_forward": "workflows.walk_forward",
}

__all__ = [
    "Forecast",
    "Forecaster",
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


class _Package(ModuleType):
    """Keeps `kronosforge.train` and `kronosforge.evaluate` the functions, although packages of these names exist.

    Python binds a subpackage to its parent when it is imported; this leaves the public names out.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'kronosforge' has no attribute {name!r}")
    return getattr(importlib.import_module(f"kronosforge.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = _Package
