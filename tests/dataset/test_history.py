"""A finished dataset, read back as one history: its splits are joined, and gaps stay gaps."""

from pathlib import Path

import numpy as np
import polars as pl

from kronosforge.core.bars import series
from kronosforge.core.candles import FEATURES
from kronosforge.dataset import DatasetWriter
from kronosforge.dataset.history import History
from kronosforge.split import Cuts, Timeline, total

BTC, ETH = series("BTC_1H"), series("ETH_1H")


def test_it_is_the_candles_that_were_written(prepared, candles):
    history = History(prepared.folder)
    assert history.series == [BTC, ETH]
    for series_, segments, seed in ((BTC, [150, 130], 0), (ETH, [280], 1)):
        written = candles(str(series_), segments, seed=seed)
        frame = history.candles(series_)
        assert frame["ts"].to_list() == written["ts"].to_list()
        assert frame["segment"].to_list() == written["segment"].to_list()
        assert frame["segment"].dtype == pl.UInt32
        expected = written.select(FEATURES).to_numpy().astype(np.float32).astype(float)
        assert np.array_equal(frame.select(FEATURES).to_numpy(), expected)
        assert [len(times) for times in history.times(series_)] == segments


def test_its_timeline_and_windows_are_those_of_the_candles(prepared, candles):
    history = History(prepared.folder)
    assert history.windows(prepared.cuts, prepared.window) == prepared.summary()["windows"]
    frames = (candles("BTC_1H", [150, 130]), candles("ETH_1H", [280], seed=1))
    expected = Timeline.join(Timeline.of(frame["ts"].to_numpy(), BTC.bar.length) for frame in frames)
    assert [list(column) for column in history.timeline] == [list(column) for column in expected]


def test_cut_anew_it_is_the_dataset_that_would_have_been_cut_so(prepared, candles, tmp_path: Path):
    hour = BTC.bar.length
    at = Cuts(prepared.cuts.train_end - 60 * hour, prepared.cuts.train_end, prepared.cuts.val_end)
    history = History(prepared.folder)
    given = {BTC: candles("BTC_1H", [150, 130]), ETH: candles("ETH_1H", [280], seed=1)}
    written = {}
    for name, frames in (("direct", given), ("again", {s: history.candles(s) for s in history.series})):
        (tmp_path / name).mkdir()
        with DatasetWriter(tmp_path / name, at, 12) as writer:
            written[name] = [writer.add(s, frame) for s, frame in frames.items()]
            writer.finish()
    assert written["direct"] == written["again"]
    assert history.windows(at, 12) == total(series_.windows for series_ in written["again"])
    direct, again = (
        {p.name + p.parent.name: p.read_bytes() for p in (tmp_path / name / "native").rglob("*") if p.is_file()}
        for name in ("direct", "again")
    )
    assert direct == again


def test_bars_that_were_left_out_are_a_gap(tmp_path: Path, candles):
    """A validation split shorter than a window leaves bars out: the segment ends before them."""
    frame = candles("BTC_1H", [100])
    start, hour = int(frame["ts"][0]), BTC.bar.length
    with DatasetWriter(tmp_path, Cuts(start + 40 * hour, start + 45 * hour), 12) as writer:
        writer.add(BTC, frame)
        writer.finish()
    assert [len(times) for times in History(tmp_path).times(BTC)] == [40, 55]
