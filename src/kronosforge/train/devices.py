"""Where training runs: one process or several under torchrun, on CPU, MPS or CUDA. The world size is a value."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import tr


class Place(NamedTuple):
    """This process among all that train together, and its device."""

    device: torch.device
    rank: int
    world: int
    bf16: bool

    @property
    def main(self) -> bool:
        """True in the one process that writes."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """`module`, its gradients averaged over all processes. Call the result, never the module inside."""
        return DistributedDataParallel(module) if self.world > 1 else module

    def unsynced(self, module: nn.Module) -> AbstractContextManager[object]:
        """Inside, backward passes of the wrapped `module` add gradients up here and leave the averaging to a later one."""
        return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()

    def sum(self, values: Tensor) -> Tensor:
        """`values`, on CPU, added up over all processes."""
        if self.world == 1:
            return values
        moved = values.to(self.device)
        dist.all_reduce(moved)
        return moved.cpu()

    def autocast(self) -> AbstractContextManager[object]:
        """The context that forward passes run in."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def place(device: str, precision: str) -> Iterator[Place]:
    """This process's place: alone, or one of those that torchrun started. Raises UsageError for a device that is not here."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    chosen = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if world > 1:
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", rank=rank, world_size=world)
    try:
        yield Place(chosen, rank, world, _bf16(chosen, precision))
    finally:
        if world > 1:
            dist.destroy_process_group()


def _device(name: str, local_rank: int) -> torch.device:
    here = [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()), ("cpu", True)]
    present = [kind for kind, there in here if there]
    kind, _, number = (present[0] if name == "auto" else name).partition(":")
    if kind not in present or (number and not number.isdecimal()):
        raise UsageError(
            tr(
                f"device {name!r} is not here; this machine has {', '.join(present)}",
                f"本机没有设备 {name!r};可用:{', '.join(present)}",
            )
        )
    if kind != "cuda":
        return torch.device(kind)
    index = int(number or local_rank)
    if index >= torch.cuda.device_count():
        raise UsageError(
            tr(
                f"there is no cuda:{index}; this machine has {torch.cuda.device_count()} CUDA devices",
                f"没有 cuda:{index};本机有 {torch.cuda.device_count()} 个 CUDA 设备",
            )
        )
    return torch.device("cuda", index)


def _bf16(device: torch.device, precision: str) -> bool:
    return precision == "bf16" or (
        precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    )


def gpus() -> int:
    """How many CUDA devices this machine has."""
    return torch.cuda.device_count()
