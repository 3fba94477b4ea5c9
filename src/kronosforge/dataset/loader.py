"""From windows to batches of tensors: each window once an epoch, split over ranks, for any number of workers."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _
from kronosforge.dataset.order import Ints, Mix, Order, groups
from kronosforge.dataset.windows import Windows

__all__ = ["Batch", "Loader", "Mix", "Windows"]


class Batch(NamedTuple):
    """The windows of one rank in one step."""

    x: Tensor  # (B, T, 6) float32, normalised by the lookback, clipped
    stamp: Tensor  # (B, T, 5) int64: minute, hour, weekday (Monday 0), day, month of the open time, UTC
    windows: Tensor  # (B,) int64, the numbers of the windows in the split
    total: int  # windows of this step on all ranks


_Job: TypeAlias = tuple[Ints, int]  # what a batch is made of: `windows` and `total`
_AHEAD = 32  # steps whose windows are drawn together: numpy takes as long for fifty numbers as for a thousand


class Loader:
    """Batches of a split. The windows of a step depend only on `seed`, the epoch and `batch_size` × `world`.

    Step k takes positions [k, k + 1) × batch_size × world of the epoch's permutation, and rank r the rth part of them. The
    last step is split as evenly as possible and includes a remainder of fewer windows than ranks: every rank makes the
    same number of steps, none with an empty batch. Weighted by `total`, gradients equal those of one process.
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        workers: int = 0,
        mix: Mix = "bars",
        per_epoch: int | None = None,
    ) -> None:
        """`mix` divides an epoch of `per_epoch` windows (by default all) among the series: see `order.groups`.

        `workers` help where the disk is slow; candles in memory are read several times faster without. Raises ConfigError
        for a mix that does not fit the split, DataError if there are fewer windows than ranks.
        """
        self._windows, self._batch, self._rank, self._world, self._workers = windows, batch_size, rank, world, workers
        self._order = Order(groups(windows.series, mix, per_epoch), seed)
        if min(len(windows), len(self._order)) < world:
            raise _too_few(min(len(windows), len(self._order)), world)

    def steps(self) -> int:
        """Steps per epoch, the same on every rank."""
        return self._steps(len(self._order))

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from step `start` on: the same as those of the whole epoch from there."""
        return self._load(self._jobs(len(self._order), start, lambda positions: self._order.numbers(epoch, positions)))

    def every(self) -> Iterator[Batch]:
        """All windows once, in the same order at every call. For validation."""
        return self._load(self._jobs(len(self._windows), 0, lambda positions: positions))

    def _steps(self, size: int) -> int:
        steps, tail = divmod(size, self._batch * self._world)
        return steps + (tail >= self._world)

    def _jobs(self, size: int, start: int, numbers: Callable[[Ints], Ints]) -> Iterator[_Job]:
        """This rank's part of each step, divided as numpy.array_split does."""
        steps = self._steps(size)
        for block in range(start, steps, _AHEAD):
            parts = [self._part(size, step) for step in range(block, min(block + _AHEAD, steps))]
            windows = numbers(np.concatenate([np.arange(first, stop) for first, stop, _ in parts]))
            ends = np.cumsum([stop - first for first, stop, _ in parts])
            yield from zip(np.split(windows, ends[:-1]), (total for _, _, total in parts), strict=True)

    def _part(self, size: int, step: int) -> tuple[int, int, int]:
        """The positions [first, stop) of a step that belong to this rank, and the number of all ranks' positions."""
        full = self._batch * self._world
        first, total = step * full, full
        if step == self._steps(size) - 1:
            total = size - first
        share, remainder = divmod(total, self._world)
        first += self._rank * share + min(self._rank, remainder)
        return first, first + share + (self._rank < remainder), total

    def _load(self, jobs: Iterator[_Job]) -> Iterator[Batch]:
        """The batches of `jobs`, in order. The jobs are made in this process, so workers only read."""
        reader = _Reader(self._windows)
        if not self._workers:
            return map(reader.__getitem__, jobs)
        batches: DataLoader[Batch] = DataLoader(
            reader,
            batch_size=None,  # a job is a whole batch
            sampler=jobs,
            num_workers=self._workers,
            collate_fn=_unchanged,
            worker_init_fn=_end_with_parent,
            multiprocessing_context=_processes(),
            generator=torch.Generator(),  # of its own: loading must not change the random state of training
        )
        return iter(batches)


class _Reader(Dataset[Batch]):
    """From jobs to batches, in this process or in a worker."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows

    def __getitem__(self, job: _Job) -> Batch:
        numbers, total = job
        x, stamp = self._windows.gather(numbers)
        return Batch(torch.from_numpy(x), torch.from_numpy(stamp), torch.from_numpy(numbers), total)


def _unchanged(batch: Any) -> Any:
    return batch


def _end_with_parent(_: int) -> None:
    """End this worker when the process that reads its batches ends, even if it is killed.

    torch watches the parent of a worker, but that is the fork server, which lives as long as its workers do.
    """
    reader = multiprocessing.parent_process()
    assert reader is not None

    def wait() -> None:
        reader.join()
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _processes() -> multiprocessing.context.BaseContext:
    """How workers start: never as a fork of this process, which has threads and perhaps a GPU.

    The fork server imports this module once and forks every worker from there; Windows has none.
    """
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _too_few(windows: int, world: int) -> DataError:
    return DataError(
        _(
            "{windows} windows cannot be split over {world} processes; start fewer, or prepare more records",
            windows=windows,
            world=world,
        )
    )
