"""The device that networks run on, chosen in one place for training, forecasting and evaluating."""

import logging
from contextlib import suppress
from functools import cache
from typing import Literal

import torch

from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _

LABELS = {"cuda": "CUDA", "mps": "MPS", "cpu": "CPU"}  # best first

log = logging.getLogger("kronosforge.model")


def available() -> list[str]:
    """The kinds of device that this machine has, best first."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind in LABELS if present[kind]]


def choose(name: str | torch.device = "auto", *, float64: bool = False, local_rank: int = 0) -> torch.device:
    """The device called `name`: `auto` (cuda, else mps, else cpu), `cpu`, `mps`, `cuda` or `cuda:N`.

    `float64` is needed for sampling, and mps does not have it: with it, `auto` passes mps over, and `mps` becomes the CPU
    with a line in the log. `cuda` without a number is the GPU number `local_rank`.
    Raises UsageError where the name is unknown or this machine has no such device.
    """
    kind, number = _parsed(str(name))
    if kind == "auto":
        kind = next(kind for kind in available() if not (float64 and kind == "mps"))
    if kind not in available():
        here = ", ".join(available())
        raise UsageError(
            _("{labels} is not available on this machine (available: {here})", labels=LABELS[kind], here=here)
        )
    if kind == "mps" and float64:
        _report_cpu()
        return torch.device("cpu")
    return torch.device(kind) if kind != "cuda" else _gpu(local_rank if number is None else number)


def gpus() -> int:
    """How many CUDA devices this machine has."""
    return torch.cuda.device_count()


def gpu_of(name: str) -> int | Literal["any"] | None:
    """The GPU that the device called `name` is: its number, any for `auto` and `cuda`, None for one that is no GPU.

    None, too, for a name that `choose` refuses.
    """
    with suppress(UsageError):
        kind, number = _parsed(name)
        if kind in ("auto", "cuda"):
            return "any" if number is None else number
    return None


def _parsed(name: str) -> tuple[str, int | None]:
    """`cuda:1` as ("cuda", 1); only CUDA devices are counted beyond 0."""
    kind, colon, number = name.partition(":")
    valid = not colon or (number.isdecimal() and (kind == "cuda" or int(number) == 0))
    if kind not in ("auto", *LABELS) or not valid or (kind == "auto" and colon):
        raise UsageError(
            _("Unknown device {name!r}; allowed: auto, cpu, cuda, cuda:N (such as cuda:0), mps", name=name)
        )
    return kind, int(number) if number else None


def _gpu(index: int) -> torch.device:
    if index >= gpus():
        raise UsageError(
            _(
                "cuda:{index} does not exist; this machine has {gpus} CUDA device(s), numbered from 0",
                index=index,
                gpus=gpus(),
            )
        )
    return torch.device("cuda", index)


@cache
def _report_cpu() -> None:
    """Say it once per process: an evaluation chooses its device more than once."""
    log.warning(_("Sampling needs float64, which MPS does not support: forecasting on the CPU instead"))
