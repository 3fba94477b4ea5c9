"""Batches: each window once, whatever the ranks and workers; the same again; on from any step."""

import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="batches need torch")

import numpy as np
import torch

from kronosforge.config import DatasetConfig
from kronosforge.core.errors import ConfigError, DataError
from kronosforge.dataset.loader import Loader, Windows
from tests.processes import gone, processes_of

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")  # on few cores
SETTINGS = DatasetConfig(lookback=8, predict=3)
BATCH = 16


@pytest.fixture
def windows(prepared) -> Windows:
    return Windows.open(prepared.folder, "train", SETTINGS)


def numbers(batches) -> list[list[int]]:
    return [batch.windows.tolist() for batch in batches]


def same(batch, other) -> bool:
    """Whether two batches are equal to the last bit."""
    return batch.total == other.total and all(torch.equal(a, b) for a, b in zip(batch[:3], other[:3], strict=True))


@pytest.mark.parametrize("workers", [0, 2, 4])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_an_epoch_has_each_window_once(windows, world, workers):
    loaders = [Loader(windows, BATCH, rank=rank, world=world, workers=workers) for rank in range(world)]
    ranks = [numbers(loader.epoch(2)) for loader in loaders]
    seen = [window for batches in ranks for batch in batches for window in batch]
    assert sorted(seen) == list(range(len(windows)))
    assert {len(batches) for batches in ranks} == {loaders[0].steps()}
    assert all(batch for batches in ranks for batch in batches)


@pytest.mark.parametrize("mix", ["bars", "series"])
def test_workers_change_nothing(windows, mix):
    alone, two, four = (list(Loader(windows, BATCH, workers=n, mix=mix, seed=5).epoch(1)) for n in (0, 2, 4))
    assert all(same(a, b) and same(a, c) for a, b, c in zip(alone, two, four, strict=True))


def test_the_ranks_together_see_what_one_process_would(windows):
    whole = numbers(Loader(windows, BATCH * 2).epoch(0))
    first, second = (numbers(Loader(windows, BATCH, rank=rank, world=2).epoch(0)) for rank in (0, 1))
    assert [a + b for a, b in zip(first, second, strict=True)] == whole


@pytest.mark.parametrize("tail", range(7))
@pytest.mark.parametrize("world", [1, 2, 3])
def test_the_end_of_an_epoch_is_split_evenly(windows, world, tail):
    size = 2 * world * 4 + tail
    ranks = [list(Loader(windows, 4, rank=r, world=world, per_epoch=size).epoch(0)) for r in range(world)]
    for step in zip(*ranks, strict=True):
        sizes = [len(batch.x) for batch in step]
        assert {batch.total for batch in step} == {sum(sizes)}
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) > 0
    assert sum(step[0].total for step in zip(*ranks, strict=True)) == size


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("mix", ["bars", "series"])
def test_an_epoch_goes_on_from_any_step(windows, mix, workers):
    loader = Loader(windows, 5, mix=mix, workers=workers)  # more steps than are drawn at once
    whole = list(loader.epoch(3))
    for start in (1, 40, len(whole) - 1, len(whole)):
        assert all(same(a, b) for a, b in zip(loader.epoch(3, start), whole[start:], strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_leaves_the_random_state_alone(windows, workers):
    before = torch.get_rng_state()
    next(Loader(windows, BATCH, workers=workers).epoch(0))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("world", [1, 2, 3])
def test_validation_is_every_window_in_order(windows, world):
    loaders = [Loader(windows, BATCH, rank=rank, world=world, mix="series", per_epoch=50) for rank in range(world)]
    steps = zip(*(numbers(loader.every()) for loader in loaders), strict=True)
    assert [window for step in steps for batch in step for window in batch] == list(range(len(windows)))


def test_a_batch_is_what_its_windows_hold(windows):
    batch = next(Loader(windows, BATCH).epoch(0))
    x, stamp = windows.gather(batch.windows.numpy())
    assert [(part.shape, part.dtype) for part in batch[:3]] == [
        ((BATCH, SETTINGS.window, 6), torch.float32),
        ((BATCH, SETTINGS.window, 5), torch.int64),
        ((BATCH,), torch.int64),
    ]
    assert np.array_equal(batch.x.numpy(), x)
    assert np.array_equal(batch.stamp.numpy(), stamp)


def test_two_passes_at_once_do_not_meet(windows):
    loader = Loader(windows, BATCH, workers=2)
    epoch, every = loader.epoch(0), loader.every()
    mixed = [(next(epoch), next(every)) for _ in range(loader.steps())]
    assert [b.windows.tolist() for b, _ in mixed] == numbers(loader.epoch(0))
    assert [b.windows.tolist() for _, b in mixed] == numbers(loader.every())


def test_what_cannot_be_split_is_refused(windows):
    with pytest.raises(DataError, match="2 windows cannot be split over 3"):
        Loader(windows, BATCH, world=3, per_epoch=2)
    with pytest.raises(ConfigError, match="SOL_1H"):
        Loader(windows, BATCH, mix={"BTC_1H": 1, "ETH_1H": 1, "SOL_1H": 1})


READER = """
import sys, time
from pathlib import Path
from kronosforge.config import DatasetConfig
from kronosforge.dataset.loader import Loader, Windows

if __name__ == "__main__":
    windows = Windows.open(Path(sys.argv[1]), "train", DatasetConfig(lookback=8, predict=3))
    batches = Loader(windows, 2, workers=2).epoch(1)
    next(batches)
    print(flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_workers_end_with_a_reader_that_is_killed(prepared, tmp_path):
    program = tmp_path / "reader.py"
    program.write_text(READER)
    command = [sys.executable, str(program), str(prepared.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as reader:
        assert reader.stdout.readline()
        others = [process for process in processes_of(reader.pid) if process != reader.pid]
        assert len(others) >= 3  # two workers and their fork server
        reader.kill()
        ended = [gone(process) for process in others]
    assert all(ended)
