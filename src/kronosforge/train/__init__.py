"""Tokenizer and predictor on a dataset: one loop, resumable at every step."""

import sys
from types import ModuleType
from typing import Any

from kronosforge.cpu import settle
from kronosforge.train.stages import STAGES as STAGES
from kronosforge.train.stages import StageName as StageName
from kronosforge.train.stages import TrainedStage as TrainedStage
from kronosforge.train.stages import train as train

settle()


class _Callable(ModuleType):
    """`kronosforge.train` is this package once something of it was imported; called, it is the function all the same."""

    def __call__(self, *args: Any, **options: Any) -> dict[StageName, TrainedStage]:
        return train(*args, **options)


sys.modules[__name__].__class__ = _Callable
