"""A finished dataset, read back as one history: what was cut apart is whole again, and holes stay holes."""

from pathlib import Path

import numpy as np
import polars as pl

from kronosforge.core.bars import series
from kronosforge.core.candles import FEATURES
from kronosforge.dataset import DatasetWriter
from kronosforge.dataset.history import History
from kronosforge.split import Cuts, Runs, total

BTC, ETH = series("BTC_1H"), series("ETH_1H")


def test_it_is_the_candles_that_were_written(prepared, candles):
    history = History(prepared.folder)
    assert history.series == [BTC, ETH]
    for one, segments, seed in ((BTC, [150, 130], 0), (ETH, [280], 1)):
        given = candles(str(one), segments, seed=seed)
        found = history.candles(one)
        assert found["ts"].to_list() == given["ts"].to_list()
        assert found["segment"].to_list() == given["segment"].to_list()
        assert found["segment"].dtype == pl.UInt32
        wanted = given.select(FEATURES).to_numpy().astype(np.float32).astype(float)
        assert np.array_equal(found.select(FEATURES).to_numpy(), wanted)
        assert [len(times) for times in history.times(one)] == segments


def test_its_runs_and_windows_are_those_of_the_candles(prepared, candles):
    history = History(prepared.folder)
    assert history.windows(prepared.cuts, prepared.window) == prepared.summary()["windows"]
    frames = (candles("BTC_1H", [150, 130]), candles("ETH_1H", [280], seed=1))
    wanted = Runs.join(Runs.of(frame["ts"].to_numpy(), BTC.bar.length) for frame in frames)
    assert [list(column) for column in history.runs] == [list(column) for column in wanted]


def test_cut_anew_it_is_the_dataset_that_would_have_been_cut_so(prepared, candles, tmp_path: Path):
    hour = BTC.bar.length
    at = Cuts(prepared.cuts.train_end - 60 * hour, prepared.cuts.train_end, prepared.cuts.val_end)
    history = History(prepared.folder)
    given = {BTC: candles("BTC_1H", [150, 130]), ETH: candles("ETH_1H", [280], seed=1)}
    written = {}
    for name, frames in (("direct", given), ("again", {one: history.candles(one) for one in history.series})):
        (tmp_path / name).mkdir()
        with DatasetWriter(tmp_path / name, at, 12) as writer:
            written[name] = [writer.add(one, frame) for one, frame in frames.items()]
            writer.finish()
    assert written["direct"] == written["again"]
    assert history.windows(at, 12) == total(one.windows for one in written["again"])
    direct, again = (
        {p.name + p.parent.name: p.read_bytes() for p in (tmp_path / name / "native").rglob("*") if p.is_file()}
        for name in ("direct", "again")
    )
    assert direct == again


def test_a_piece_that_was_left_out_is_a_hole(tmp_path: Path, candles):
    """A validation split shorter than a window leaves bars out: the segment does not go on behind them."""
    frame = candles("BTC_1H", [100])
    start, hour = int(frame["ts"][0]), BTC.bar.length
    with DatasetWriter(tmp_path, Cuts(start + 40 * hour, start + 45 * hour), 12) as writer:
        writer.add(BTC, frame)
        writer.finish()
    assert [len(times) for times in History(tmp_path).times(BTC)] == [40, 55]
