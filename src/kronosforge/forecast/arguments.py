"""The arguments of a forecast: their types and limits are checked before anything is computed."""

import numbers
import os
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from kronosforge.core.console import brief
from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import MessageList, _


def check_whole(least: int, most: int, /, **arguments: object) -> None:
    """Raise UsageError where an argument is not a whole number in `least … most`, such as 3 or numpy's int64(3)."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not least <= int(value) <= most:
            raise UsageError(
                _(
                    "{name} is {value}; it must be a whole number from {least} to {most}",
                    name=name,
                    value=brief(value),
                    least=least,
                    most=most,
                )
            )


def check_number(above: float, most: float, /, **arguments: object) -> None:
    """Raise UsageError where an argument is not a number above `above` and at most `most`; NaN is none."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not above < value <= most:  # type: ignore[operator]
            raise UsageError(
                _(
                    "{name} is {value}; it must be a number above {above:g} and at most {most:g}",
                    name=name,
                    value=brief(value),
                    above=above,
                    most=most,
                )
            )


def check_choice(choices: Collection[object], /, **arguments: object) -> None:
    """Raise UsageError where an argument is not one of `choices`, which are texts or truth values."""
    for name, value in arguments.items():
        if not isinstance(value, str | bool | np.bool_) or value not in choices:
            raise UsageError(
                _(
                    "{name} is {value}; it must be {choices}",
                    name=name,
                    value=brief(value),
                    choices=MessageList(map(repr, choices), " or "),
                )
            )


def check_path(**arguments: object) -> None:
    """Raise UsageError where an argument cannot name a folder: neither text nor a path, empty, or too long."""
    for name, value in arguments.items():
        if not isinstance(value, str | os.PathLike) or value == "" or not _can_exist(value):
            raise UsageError(
                _(
                    "{name} is {value}; it must be the path of a folder, as text or pathlib.Path",
                    name=name,
                    value=brief(value),
                )
            )


def checked_levels(levels: Iterable[object]) -> list[float]:
    """Quantile levels as a list of float. Raises UsageError unless they are numbers from 0 to 1."""
    values = list(levels) if isinstance(levels, Iterable) and not isinstance(levels, str) else [None]
    numeric = [float(level) for level in values if isinstance(level, numbers.Real) and 0 <= level <= 1]  # type: ignore[operator]
    if len(numeric) < len(values) or any(isinstance(level, bool) for level in values):
        raise UsageError(
            _(
                "levels is {levels}; it must be a list of numbers from 0 to 1, such as [0.05, 0.5, 0.95]",
                levels=brief(levels),
            )
        )
    return numeric


def _can_exist(path: str | os.PathLike[str]) -> bool:
    """False for a path that no file system can hold."""
    try:
        Path(path).exists()
    except (OSError, ValueError, TypeError):  # too long, a null character, a path of bytes
        return False
    return True
