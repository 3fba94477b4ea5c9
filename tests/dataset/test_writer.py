"""The writer: no window crosses a segment or a cut, every legal one is there once, same input gives the same bytes."""

import errno
import hashlib
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.core.bars import HOUR, series
from kronosforge.core.candles import FEATURES
from kronosforge.dataset import DatasetWriter
from kronosforge.dataset.native import open_split
from kronosforge.dataset.unpickle import load
from kronosforge.split import SPLITS, Cuts
from kronosforge.workspace.paths import DATASET_FILES

BTC = series("BTC-USD-SWAP_1H")


def write(folder, cuts, window, *frames):
    folder.mkdir(parents=True, exist_ok=True)
    with DatasetWriter(folder, cuts, window) as writer:
        for frame in frames:
            writer.add(BTC, frame)
        return writer.finish()


def cut_after(frame, first, second):
    """Cuts behind so many hours from the first bar."""
    start = frame["ts"][0]
    return Cuts(start + first * HOUR, start + second * HOUR)


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@given(
    segments=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    edges=st.tuples(st.integers(0, 120), st.integers(0, 120)).map(sorted),
    window=st.integers(2, 12),
)
def test_every_legal_window_is_there_once_and_no_other(candles, segments, edges, window):
    frame = candles(str(BTC), segments)
    cuts = cut_after(frame, *edges)
    ts, number = frame["ts"].to_numpy(), frame["segment"].to_numpy()
    legal = {split: set() for split in SPLITS}
    for i in range(len(ts) - window + 1):
        last = i + window - 1
        for split, span in cuts.spans.items():
            if number[i] == number[last] and span.start <= ts[i] and ts[last] + HOUR <= span.stop:
                legal[split].add(ts[i])
    with tempfile.TemporaryDirectory() as folder:
        [written] = write(Path(folder), cuts, window, frame)
        for split in SPLITS:
            frames = load(Path(folder) / f"{split}_data.pkl")
            opens = [f.index.asi8 // 1_000_000 for f in frames.values()]
            starts = [t for times in opens for t in times[: len(times) - window + 1]]
            assert sorted(starts) == sorted(legal[split])
            assert written.windows[split] == len(starts)
            assert written.rows[split] == sum(map(len, opens))
            assert written.keys[split] == list(frames)
    assert written.bars_in_no_window == len(ts) - sum(written.rows.values())


def test_a_segment_has_one_number_in_every_split(tmp_path, candles):
    frame = candles(str(BTC), [30, 5, 60])
    [written] = write(tmp_path, cut_after(frame, 20, 60), 10, frame)
    assert written.keys == {
        "train": ["BTC-USD-SWAP_1H"],
        "val": ["BTC-USD-SWAP_1H", "BTC-USD-SWAP_1H#3"],
        "test": ["BTC-USD-SWAP_1H#3"],
    }
    assert written.bars_in_no_window == 5


def test_native_rows_are_the_pickles_rows(tmp_path, candles):
    frame = candles(str(BTC), [50, 70])
    write(tmp_path, cut_after(frame, 60, 90), 10, frame)
    for split in SPLITS:
        arrays, frames = open_split(tmp_path, split), load(tmp_path / f"{split}_data.pkl")
        assert [segment.key for segment in arrays.segments] == list(frames)
        for key, offset, length in arrays.segments:
            rows = slice(offset, offset + length)
            assert np.array_equal(arrays.candles[rows], frames[key].to_numpy().astype(np.float32))
            assert np.array_equal(arrays.time[rows] * 1_000_000, frames[key].index.asi8)
        assert arrays.candles.dtype == np.float32
        assert len(arrays.candles) == len(arrays.time) == sum(segment.length for segment in arrays.segments)


def test_the_same_candles_give_the_same_bytes_however_they_are_chunked(tmp_path, candles):
    frame = candles(str(BTC), [50, 70])
    chunked = pl.concat([frame[:13], frame[13:77], frame[77:]], rechunk=False)
    assert chunked.n_chunks() == 3
    cuts = cut_after(frame, 60, 90)
    write(tmp_path / "a", cuts, 10, frame)
    write(tmp_path / "b", cuts, 10, chunked)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_long_segments_are_converted_completely(tmp_path):
    bars = (1 << 16) + 3
    ramp = np.arange(bars, dtype=np.float64)
    frame = pl.DataFrame({"ts": np.arange(bars) * HOUR, **dict.fromkeys(FEATURES, ramp)})
    write(tmp_path, Cuts(10**15, 10**15), 2, frame.with_columns(segment=pl.lit(1, pl.UInt32())))
    assert np.array_equal(open_split(tmp_path, "train").candles, np.stack([ramp] * 6, axis=1))


def test_it_writes_the_files_that_a_dataset_holds(tmp_path, candles):
    frame = candles(str(BTC), [50])
    write(tmp_path, cut_after(frame, 20, 40), 5, frame)
    assert {path.name for path in tmp_path.iterdir()} == set(DATASET_FILES) - {"report.html"}


def test_no_bar_at_all_gives_empty_splits(tmp_path, candles):
    [written] = write(tmp_path, Cuts(0, 1), 5, candles(str(BTC), [50])[:0])
    assert written.windows == {"train": 0, "val": 0, "test": 0}
    assert open_split(tmp_path, "test").candles.shape == (0, 6)


def test_files_are_closed_where_a_series_fails(tmp_path, candles):
    tmp_path.joinpath("d").mkdir()
    writer = DatasetWriter(tmp_path / "d", Cuts(0, 1), 5)
    with pytest.raises(pl.exceptions.ColumnNotFoundError), writer:
        writer.add(BTC, candles(str(BTC), [50]).drop("segment"))
    with pytest.raises(ValueError, match="closed file"):
        writer.finish()


def test_pickles_are_hashed_as_they_are_written(tmp_path, candles):
    frame = candles(str(BTC), [300, 40])
    with DatasetWriter(tmp_path, cut_after(frame, 200, 260), 5) as writer:
        writer.add(BTC, frame)
        writer.finish()
    assert writer.digests == {name: digest for name, digest in tree(tmp_path).items() if name.endswith(".pkl")}


def test_a_disk_that_cannot_keep_what_was_written_is_an_error(tmp_path, candles, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fsync", refuse)
    with (
        pytest.raises(OSError, match="Input/output"),
        DatasetWriter(tmp_path, Cuts(0, 1), 5) as writer,
    ):
        writer.add(BTC, candles(str(BTC), [50]))
        writer.finish()
