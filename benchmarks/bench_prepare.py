"""From the store to a finished dataset, with every check: bars a second and peak memory, against a loop that checks nothing.

    python benchmarks/bench_prepare.py              100 series × 50,000 bars, ours and a plain pandas loop
    python benchmarks/bench_prepare.py --scale 10   1,000 series as well: the same memory, and time in proportion

Each run is a process of its own that reads from disk and writes to disk. Ours cleans, segments, splits, counts windows,
writes both forms, hashes, draws the report and fsyncs. The peer is peer_pandas.py.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from peak import took

from kronosforge.config import ModelConfig, validate
from kronosforge.core.bars import Series, Span, instant, iso
from kronosforge.core.candles import FEATURES, SCHEMA
from kronosforge.core.files import publishing
from kronosforge.source.base import Batch
from kronosforge.store import Store
from kronosforge.workflows.fetch import Collected
from kronosforge.workflows.prepare import build
from kronosforge.workspace.paths import DATASET_FILES, MANIFEST

FASTER, SMALLER = 1.0, 0.5  # at least the peer's speed, at most half its memory
SAME_MEMORY, LINEAR = 1.2, 1.2  # at ten times the bars
BYTES = 100  # a bar, written: 56 in the pickle, 32 in the native form, and some for what else fills the disk's cache
PEER = Path(__file__).with_name("peer_pandas.py")
END = instant("2025-01-01T00:00Z")


class Market:
    """A source of made-up candles that need no mending: a random walk, so that cleaning has everything to look at."""

    venue, stored = "bench", True

    async def now(self) -> int:
        return END

    async def fetch(self, series: Series, span: Span) -> AsyncIterator[Batch]:
        yield Batch(span, walk(series, span))

    async def close(self) -> None:
        pass


def walk(series: Series, span: Span) -> pl.DataFrame:
    """Candles of `series` in `span`, the same at every call."""
    bars = span.bars(series.bar)
    rng = np.random.default_rng(int(series.instrument[1:]))
    price = 100 * np.exp(np.cumsum(rng.normal(0, 0.005, bars + 1)))
    opened, closed = price[:-1], price[1:]
    high = np.maximum(opened, closed) * (1 + rng.random(bars) * 0.003)
    low = np.minimum(opened, closed) * (1 - rng.random(bars) * 0.003)
    vol = rng.lognormal(3, 1, bars)
    values = [opened, high, low, closed, vol, vol * (opened + high + low + closed) / 4]
    times = np.arange(span.start, span.stop, series.bar.length)
    frame = pl.DataFrame({"ts": times, **dict(zip(FEATURES, values, strict=True))})
    return frame.with_columns(provenance=pl.lit("exchange")).cast(dict(SCHEMA))


def model(series: int, bars: int) -> ModelConfig:
    """A config of so many series of so many hourly bars."""
    keys = [f"S{number:04d}_1H" for number in range(series)]
    values = {"name": "bench", "model_name": "Bench", "target_symbols": keys, "records_per_timeframe": bars}
    return validate(values, "bench")


def spans_of(config: ModelConfig) -> dict[Series, Span]:
    return {s: Span(END - config.records_per_timeframe * s.bar.length, END) for s in config.series}


def seed(place: Path, config: ModelConfig) -> None:
    """Fill the store, and put the same candles into a plain Parquet file per series for the peer."""
    (place / "parquet").mkdir(exist_ok=True)
    store = Store(place / "candles")
    for series, span in spans_of(config).items():
        asyncio.run(store.update(Market(), series, span))
        frame = walk(series, span).with_columns(datetime=pl.from_epoch("ts", "ms").cast(pl.Datetime("ns")))
        indexed = frame.select("datetime", *FEATURES).to_pandas().set_index("datetime")
        indexed.to_parquet(place / "parquet" / f"{series}.parquet")


def ours(place: Path, config: ModelConfig) -> None:
    """What `kronosforge prepare` does once the candles are here."""
    store, spans, folder = Store(place / "candles"), spans_of(config), place / "ours"
    collected = Collected(
        spans,
        read=lambda series: store.read(Market.venue, series, spans[series]),
        times=lambda series: store.times(Market.venue, series, spans[series]),
    )
    origin = {"name": "bench", "venue": Market.venue, "clock": iso(END)}
    with publishing(folder, MANIFEST, DATASET_FILES) as staging:
        build(config, collected, staging, folder="ours", origin=origin)


class Took(NamedTuple):
    """What one process took."""

    seconds: float
    cpu: float  # seconds on all cores
    peak: float  # MB


def measure(command: list[str | Path], folder: Path, bars: int) -> Took:
    """Run a command that fills `folder` with `bars`, in a process of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    touch_memory(folder.with_name("touched"), bars * BYTES)
    done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True)
    return Took(*json.loads(done.stdout))


def touch_memory(path: Path, size: int) -> None:
    """Write so many bytes and remove them. A virtual machine's host takes back memory that lies free, and the first to
    use it again waits for it (seen: 2 s a GB of kernel time in a plain `dd`): neither side's work, so done beforehand."""
    block = bytes(2**20)
    with path.open("wb", buffering=0) as file:
        for _ in range(-(-size // len(block))):
            file.write(block)
    path.unlink()


def job(name: str, place: Path, series: int, bars: int) -> Took:
    """`measure` of `seed` or `ours`."""
    sizes = ["--series", str(series), "--bars", str(bars)]
    return measure([__file__, "--job", name, "--dir", place, *sizes], place / name, series * bars)


def median(runs: list[Took]) -> Took:
    """The median of each figure."""
    return Took(*map(statistics.median, zip(*runs, strict=True)))


def claim(
    name: str, unit: str, ours: float, other: float, limit: float, *, at_least: bool = False
) -> dict[str, object]:
    """One line of results; `ok` says whether ratio keeps to `limit`, from above or from below."""
    ratio = ours / other
    ok = ratio >= limit if at_least else ratio <= limit
    numbers = {"ours": round(ours, 1), "peer": round(other, 1), "ratio": round(ratio, 2), "limit": limit}
    return {"name": name, "unit": unit, **numbers, "ok": ok}


def claims(place: Path, series: int, bars: int, scale: int, repeat: int) -> Iterable[dict[str, object]]:
    """Measure, and yield one result after the other. What is compared runs in turn, to see the same weather."""
    job("seed", place, series, bars)
    total = series * bars
    parquet, target = place / "parquet", place / "peer"
    pairs = [(job("ours", place, series, bars), measure([PEER, parquet, target], target, total)) for _ in range(repeat)]
    ours, peer = (median(runs) for runs in zip(*pairs, strict=True))
    yield claim("prepare: speed", "bars/s", total / ours.seconds, total / peer.seconds, FASTER, at_least=True)
    yield claim("prepare: peak memory", "MB", ours.peak, peer.peak, SMALLER)
    if scale > 1:
        shutil.rmtree(target)
        yield from longer(place, series, bars, scale, repeat)


def longer(place: Path, series: int, bars: int, scale: int, repeat: int) -> Iterable[dict[str, object]]:
    """Ours with `scale` times the series against ours without."""
    job("seed", place, series * scale, bars)
    pairs = [(job("ours", place, series, bars), job("ours", place, series * scale, bars)) for _ in range(repeat)]
    short, long = (median(runs) for runs in zip(*pairs, strict=True))
    against, ns = f"at ×{scale} against ours at ×1", 1e9 / series / bars
    yield claim(f"prepare: memory {against}", "MB", long.peak, short.peak, SAME_MEMORY)
    yield claim(f"prepare: time {against}", "ns/bar", ns * long.seconds / scale, ns * short.seconds, LINEAR)
    yield claim(f"prepare: CPU time {against}", "ns/bar", ns * long.cpu / scale, ns * short.cpu, LINEAR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=100)
    parser.add_argument("--bars", type=int, default=50_000)
    parser.add_argument("--scale", type=int, default=1, help="so many times the series, besides")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each, of which the median counts")
    parser.add_argument("--json", action="store_true", help="a JSON object per claim and line")
    parser.add_argument("--dir", type=Path, help="work here instead of in a temporary folder")
    parser.add_argument("--job", choices=["seed", "ours"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        work, config = {"seed": seed, "ours": ours}[given.job], model(given.series, given.bars)
        print(took(lambda: work(given.dir, config)))
        return
    with tempfile.TemporaryDirectory(dir=given.dir) as place:
        for result in claims(Path(place), given.series, given.bars, given.scale, given.repeat):
            line = "{name}: {ours:,} {unit}, peer {peer:,}, ratio {ratio} (limit {limit}) {ok}".format(**result)
            print(json.dumps(result, ensure_ascii=False) if given.json else line, flush=True)


if __name__ == "__main__":
    main()
