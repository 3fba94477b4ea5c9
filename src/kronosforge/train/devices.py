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
from kronosforge.core.i18n import _
from kronosforge.model.devices import choose


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


class Group(NamedTuple):
    """This process among those that torchrun started."""

    rank: int
    world: int
    local_rank: int  # on this machine


def group() -> Group | None:
    """What torchrun says in the environment; None in a process that it did not start.

    torchrun sets both RANK and WORLD_SIZE: one of them alone, or an empty one, was left behind by something else.
    Raises UsageError where a value makes no sense.
    """
    values = {name: _whole(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT")}
    rank, world, local_rank, port = values.values()
    if rank is None or world is None:
        return None
    if not rank < world or (world > 1 and not (os.environ.get("MASTER_ADDR") and port)):
        settings = ", ".join(f"{name}={os.environ.get(name, '')}" for name in (*values, "MASTER_ADDR"))
        raise UsageError(
            _(
                "The environment does not describe a distributed training ({settings}); start it with "
                "torchrun, or unset RANK and WORLD_SIZE to train in one process",
                settings=settings,
            )
        )
    return Group(rank, world, local_rank or 0)


def _whole(name: str) -> int | None:
    """An environment variable as a number from 0; None where it is absent or empty."""
    text = os.environ.get(name, "").strip()
    if text and not text.isdecimal():
        raise UsageError(
            _(
                "{name}={text!r} in the environment is not a whole number; unset it, or let torchrun set it",
                name=name,
                text=text,
            )
        )
    return int(text) if text else None


@contextmanager
def open_place(device: str, precision: str) -> Iterator[Place]:
    """This process's place: alone, or one of those that torchrun started. Raises UsageError for a device that is not here."""
    rank, world, local_rank = group() or Group(0, 1, 0)
    chosen = choose(device, local_rank=local_rank)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if world > 1:
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", rank=rank, world_size=world)
    try:
        yield Place(chosen, rank, world, _bf16(chosen, precision))
    finally:
        if world > 1:
            dist.destroy_process_group()


def _bf16(device: torch.device, precision: str) -> bool:
    return precision == "bf16" or (
        precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    )
