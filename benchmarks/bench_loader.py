"""Windows to batches: how fast, against upstream's own dataset and DataLoader; and how much memory 50 million bars take.

    KRONOS_HOME=~/Kronos python benchmarks/bench_loader.py     20 series × 10,000 bars, window 101, batch 50
    python benchmarks/bench_loader.py --memory                 50 million bars on disk, 500 batches (1.6 GB of disk)

Both read one dataset, which our writer makes: ours the arrays, upstream the pickles. Upstream runs as it is in a process of
its own (peer_upstream.py); what is compared runs in turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import torch
from peak import resident_mb

from kronosforge.config import DatasetConfig
from kronosforge.core.bars import DAY, MINUTE, series
from kronosforge.core.candles import FEATURES, SCHEMA
from kronosforge.dataset import DatasetWriter
from kronosforge.dataset.loader import Batch, Loader, Windows
from kronosforge.dataset.native import CANDLES, TIME, NativeWriter, write_index
from kronosforge.split import Cuts
from kronosforge.workspace.paths import NATIVE

SERIES, BARS, BATCH = 20, 10_000, 50
FASTER = 100.0  # times upstream, both in one process
LARGE, SMALL = 50_000_000, 1_000_000  # bars
BATCHES = 500
SAME_MEMORY = 1.2  # anonymous memory at LARGE bars against that at SMALL
RULES = DatasetConfig()
START = 17_000 * DAY
PEER = Path(__file__).with_name("peer_upstream.py")


def walk(bars: int, seed: int) -> list[np.ndarray]:
    """The six columns of a random walk."""
    rng = np.random.default_rng(seed)
    price = 100 * np.exp(np.cumsum(rng.normal(0, 0.005, bars + 1)))
    opened, closed = price[:-1], price[1:]
    vol = rng.lognormal(3, 1, bars)
    return [opened, np.maximum(opened, closed) * 1.001, np.minimum(opened, closed) * 0.999, closed, vol, vol * opened]


def write(folder: Path) -> None:
    """The dataset of the comparison: everything in train."""
    with DatasetWriter(folder, Cuts(2**61, 2**61 + 1), RULES.window) as writer:
        for number in range(SERIES):
            key = series(f"S{number:02d}_1H")
            columns = dict(zip(FEATURES, walk(BARS, number), strict=True))
            frame = pl.DataFrame({"ts": START + np.arange(BARS) * key.bar.length, **columns})
            candles = frame.with_columns(provenance=pl.lit("exchange")).cast(dict(SCHEMA))
            writer.add(key, candles.with_columns(segment=pl.lit(1, pl.UInt32)))
        writer.finish()


def ours(folder: Path, workers: int) -> float:
    """Windows a second over one epoch, from its first batch on."""
    batches = Loader(Windows.open(folder, "train", RULES), BATCH, workers=workers).epoch(0)
    next(batches)
    return rate(batches)


def rate(batches: Iterator[Batch]) -> float:
    began, windows = time.perf_counter(), 0
    for batch in batches:
        windows += len(batch.x)
    return windows / (time.perf_counter() - began)


def upstream(folder: Path, home: Path, workers: int) -> float:
    """What peer_upstream.py prints: windows a second, from the first batch on."""
    command = [sys.executable, PEER, home / "finetune", str(workers), str(BATCH)]
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])


def copied() -> float:
    """GB that a plain copy in memory reads and writes a second."""
    source = np.ones(2**25)
    target = source.copy()
    began = time.perf_counter()
    for _ in range(5):
        np.copyto(target, source)
    return 10 * source.nbytes / (time.perf_counter() - began) / 1e9


def speed(folder: Path, home: Path, rounds: int) -> Iterable[dict[str, object]]:
    """One process, two workers, and how far ours is from the machine's limit."""
    torch.set_num_threads(1)
    write(folder)
    taken = [
        [ours(folder, 0), upstream(folder, home, 0), ours(folder, 2), upstream(folder, home, 2), copied()]
        for _ in range(rounds)
    ]
    alone, peer_alone, workers, their_workers, copy = (statistics.median(column) for column in zip(*taken, strict=True))
    yield line("loader: in one process", "windows/s", alone, peer_alone, FASTER, at_least=True)
    yield line("loader: two workers", "windows/s", workers, their_workers)
    moved = RULES.window * ((6 * 4 + 8) + (6 * 4 + 5 * 8))  # bytes a window, read and written
    yield line("loader: bytes moved, the peer copies memory", "GB/s", alone * moved / 1e9, copy)


def large(folder: Path, bars: int) -> None:
    """A dataset of `bars` minutes in twenty series; only the arrays."""
    place = folder / NATIVE / "train"
    place.mkdir(parents=True)
    columns = walk(bars // SERIES, 0)
    with (place / CANDLES).open("wb") as candles, (place / TIME).open("wb") as times:
        writer = NativeWriter(candles, times)
        for number in range(SERIES):
            writer.add(f"S{number:02d}_1m", START + np.arange(bars // SERIES) * MINUTE, columns)
        writer.finish()
    write_index(folder, {"train": writer.segments})


def grown(folder: Path) -> list[float]:
    """What opening a split and reading BATCHES batches adds to this process: [anonymous, file-mapped] MB."""
    before = resident_mb()
    batches = Loader(Windows.open(folder, "train", RULES), BATCH).epoch(0)
    for _ in range(BATCHES):
        next(batches)
    return [after - start for after, start in zip(resident_mb(), before, strict=True)]


def memory(folder: Path) -> Iterable[dict[str, object]]:
    """Ours at LARGE bars; the peer is ours at SMALL bars."""
    measured = []
    for bars in (LARGE, SMALL):
        place = folder / str(bars)
        large(place, bars)
        command = [sys.executable, __file__, "--grown", place]
        measured.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    for name, grown, small in zip(["anonymous", "file-mapped"], *measured, strict=True):
        limit = SAME_MEMORY if name == "anonymous" else None
        yield line(f"loader: {name} memory, {LARGE:,} bars against {SMALL:,}", "MB", grown, small, limit)


def line(
    name: str, unit: str, ours: float, other: float, limit: float | None = None, *, at_least: bool = False
) -> dict[str, object]:
    """One result; `ok` says whether ratio keeps to `limit`, from above or from below."""
    ratio = ours / other
    ok = limit is None or (ratio >= limit if at_least else ratio <= limit)
    numbers = {"ours": round(ours, 1), "peer": round(other, 1), "ratio": round(ratio, 2), "limit": limit}
    return {"name": name, "unit": unit, **numbers, "ok": ok}


def checkout() -> Path:
    """The checkout that KRONOS_HOME names."""
    home = os.environ.get("KRONOS_HOME")
    if not home or not (Path(home) / "finetune" / "dataset.py").is_file():
        sys.exit("Error: KRONOS_HOME must name a checkout of shiyu-coder/Kronos, with finetune/dataset.py in it")
    return Path(home).resolve()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", action="store_true", help="what 50 million bars take")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, of which the median counts")
    parser.add_argument("--json", action="store_true", help="a JSON object per claim and line")
    parser.add_argument("--dir", type=Path, help="work here instead of in a temporary folder")
    parser.add_argument("--grown", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.grown:
        print(json.dumps(grown(given.grown)))
        return
    home = None if given.memory else checkout()
    with tempfile.TemporaryDirectory(dir=given.dir) as name:
        place = Path(name)
        for result in memory(place) if home is None else speed(place, home, given.rounds):
            text = "{name}: {ours:,} {unit}, peer {peer:,}, ratio {ratio} (limit {limit}) {ok}".format(**result)
            print(json.dumps(result) if given.json else text, flush=True)


if __name__ == "__main__":
    main()
