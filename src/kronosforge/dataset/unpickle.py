"""Read the pickles of a dataset safely: three constructors may be called, and nothing else."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _
from kronosforge.dataset.pickles import CONSTRUCTORS, DTYPES

# What the unpickler and the constructors raise on other content.
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    MemoryError,
)


class _Constructors(pickle.Unpickler):
    """Calls `frame` for pandas.DataFrame, and wrappers for the other constructors, so that no file reaches the originals."""

    def __init__(self, file: Any, frame: Callable[..., Any]) -> None:
        super().__init__(file)

        def columns_and_index(columns: Any, index: Any) -> Any:
            return frame(columns, index)

        class Index:
            def __new__(cls, *args: Any, **kwargs: Any) -> Any:
                return pd.DatetimeIndex(*args, **kwargs)

        def frombuffer(data: Any, dtype: Any) -> Any:
            if not isinstance(data, bytes) or dtype not in DTYPES:
                raise pickle.UnpicklingError(f"frombuffer of {type(data).__name__} as {dtype}")
            return np.frombuffer(data, dtype)

        self._allowed = dict(zip(CONSTRUCTORS, (columns_and_index, Index, frombuffer), strict=True))

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return self._allowed[module, name]


def load(path: Path, frame: Callable[..., Any] = pd.DataFrame) -> dict[str, Any]:
    """Key → frame of a pickle: a DatetimeIndex `datetime` (UTC, naive), float64 columns in Kronos' order.

    `frame(columns, index)` may be another function: it is called for each frame in turn, and its return value takes the
    frame's place in the result, so that a file need not fit into memory. Raises DataError for a file that is truncated,
    that holds anything but such a dict, or that would call anything but the three constructors.
    """
    try:
        with path.open("rb") as file:
            frames = _Constructors(file, frame).load()
    except FileNotFoundError:
        raise DataError(_("{path} is missing; prepare the dataset again", path=path)) from None
    except _BROKEN as error:
        raise _refused(path, f"{type(error).__name__}: {error}") from None
    if not isinstance(frames, dict) or not all(isinstance(key, str) for key in frames):
        raise _refused(path, type(frames).__name__)
    return frames


def _refused(path: Path, content: str) -> DataError:
    return DataError(
        _(
            "{path} is not a complete dataset pickle and was not loaded (found {value}); prepare the dataset again",
            path=path,
            value=content,
        )
    )
