"""The arguments of a forecast: their types are checked before anything is computed."""

import math
import numbers

from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _


def whole(**arguments: object) -> None:
    """Raise UsageError where an argument is not a whole number, such as 3 or numpy's int64(3)."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise UsageError(_("{name} is {value!r}; it must be a whole number", name=name, value=value))


def finite(**arguments: object) -> None:
    """Raise UsageError where an argument is not a finite number."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise UsageError(_("{name} is {value!r}; it must be a finite number", name=name, value=value))
