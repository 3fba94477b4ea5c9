"""Judging a model as a sceptic would: walk-forward, beside what is naive, with intervals and a verdict."""

import sys
from types import ModuleType
from typing import Any

from kronosforge.evaluate.checkpoints import CURRENT as CURRENT
from kronosforge.evaluate.evaluation import FILE as FILE
from kronosforge.evaluate.evaluation import MODELS as MODELS
from kronosforge.evaluate.evaluation import evaluate as evaluate


class _Callable(ModuleType):
    """`kronosforge.evaluate` is this package once something of it was imported; called, it is the function all the same."""

    def __call__(self, *args: Any, **options: Any) -> dict[str, Any]:
        return evaluate(*args, **options)


sys.modules[__name__].__class__ = _Callable
