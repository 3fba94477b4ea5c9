"""Walk-forward: which origins there are, what each may see, and that nothing depends on what stands beside."""

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from kronosforge.config import DatasetConfig, EvaluateConfig, ModelConfig
from kronosforge.core.bars import DAY, instant, series
from kronosforge.core.errors import DataError
from kronosforge.dataset.native import open_split
from kronosforge.evaluate.baselines import CLOSE, baselines
from kronosforge.evaluate.metrics import Scores
from kronosforge.evaluate.rolling import PRETRAINING_END, Caster, TestSplit, by_model, one_bar_moves, roll
from kronosforge.forecast import Forecaster
from kronosforge.forecast.weights import untrained

NAIVE = ("last price", "drift", "seasonal naive", "random walk")


@pytest.fixture(scope="session")
def dataset(prepared_root: Path, config: ModelConfig) -> Path:
    return prepared_root / config.dataset_path


@pytest.fixture(scope="session")
def casters(settings: EvaluateConfig) -> dict[str, Caster]:
    torch.set_num_threads(1)
    model = by_model(Forecaster(*untrained("tiny", 3)), settings)
    return {"model": model, **baselines([series("BTC_4H").bar], 8, settings.samples, 0)}


def test_every_legal_origin_and_no_bar_of_train_or_val(dataset: Path, config: ModelConfig) -> None:
    test, split = TestSplit(dataset, config.dataset), open_split(dataset, "test")
    origins = test.origins(1)
    assert len(origins) == sum(segment.length - 8 - 4 + 1 for segment in split.segments)
    newest = max(int(open_split(dataset, name).time.max()) for name in ("train", "val"))
    assert origins.begin.min() > newest
    lookback, ahead = test.read(origins, np.arange(len(origins)))
    assert (np.diff(np.hstack([lookback.times, lookback.ahead])) == 4 * DAY // 24).all()  # of one segment
    assert (origins.instants[origins.at] == lookback.ahead[:, 0]).all()
    assert (origins.end == lookback.ahead[:, -1] + 4 * DAY // 24).all()
    assert ahead.candles.shape == (len(origins), 4, 6)


def test_a_stride_takes_the_same_instants_of_all_series(dataset: Path, config: ModelConfig) -> None:
    origins = TestSplit(dataset, config.dataset).origins(3)
    assert (np.diff(origins.instants) == 3 * 4 * DAY // 24).all()
    assert set(origins.of.tolist()) == {0, 1, 2}
    assert all((origins.at[origins.of == j] == np.arange(len(origins.instants))).all() for j in (0, 1, 2))


def test_origins_before_the_end_of_pretraining_are_marked(dataset: Path, config: ModelConfig) -> None:
    origins = TestSplit(dataset, config.dataset).origins(1)
    assert not origins.early.any()
    moved = replace(origins, begin=origins.begin - origins.begin[20] + instant(PRETRAINING_END))
    assert moved.early.sum() == (moved.begin < instant("2024-06-01")).sum() == (origins.begin < origins.begin[20]).sum()
    kept = moved.only(~moved.early)
    assert len(kept) + moved.early.sum() == len(moved)
    assert (kept.instants[kept.at] == moved.instants[moved.at[~moved.early]]).all()
    assert len(np.unique(kept.at)) == len(kept.instants)


def same(left: Scores, other: Scores, rows: np.ndarray) -> None:
    for name, value in left.values.items():
        np.testing.assert_allclose(value[rows], other.values[name][rows], rtol=1e-4, atol=1e-7, err_msg=name)
    np.testing.assert_allclose(left.pit[rows], other.pit[rows], atol=1e-6)


def test_no_score_depends_on_the_batch(dataset: Path, config: ModelConfig, casters: dict[str, Caster]) -> None:
    test = TestSplit(dataset, config.dataset)
    origins = test.origins(2)
    heard: list[int] = []
    many = roll(test, origins, casters, lambda done, total: heard.append(done))
    few = roll(test, origins, casters, batch=7)
    assert heard[-1] == len(origins)
    for name in ("model", *NAIVE):
        same(many[name], few[name], np.arange(len(origins)))


def test_bars_after_a_horizon_move_nothing_before_it(
    dataset: Path, config: ModelConfig, casters: dict[str, Caster], tmp_path: Path
) -> None:
    """All candles from one instant on are changed: forecasts whose horizon ends by then have the same scores, and those
    made before it the same forecasts."""
    before = TestSplit(dataset, config.dataset)
    origins = before.origins(1)
    at = int(origins.instants[len(origins.instants) // 2])
    shutil.copytree(dataset, tmp_path / "moved")
    file = tmp_path / "moved" / "native" / "test" / "candles.npy"
    candles, time = np.load(file), open_split(dataset, "test").time
    candles[time >= at] *= 1.5
    np.save(file, candles)
    after = TestSplit(tmp_path / "moved", config.dataset)
    left, other = (roll(test, origins, casters) for test in (before, after))
    ended, made = np.flatnonzero(origins.end <= at), np.flatnonzero(origins.instants[origins.at] <= at)
    assert 0 < len(ended) < len(made) < len(origins)
    for name in casters:
        same(left[name], other[name], ended)
        np.testing.assert_array_equal(left[name].values["signal"][made], other[name].values["signal"][made])
        late = origins.instants[origins.at] > at
        assert not np.allclose(left[name].values["crps"][late], other[name].values["crps"][late])


def test_mase_is_scaled_by_training_alone(dataset: Path, config: ModelConfig) -> None:
    test, split = TestSplit(dataset, config.dataset), open_split(dataset, "train")
    moves = one_bar_moves(split)
    segment = split.segments[0]
    close = split.candles[segment.rows, CLOSE].astype(float)
    assert moves[segment.key] == pytest.approx(np.mean([abs(b / a - 1) for a, b in pairwise(close)]))
    origins = test.origins(1)
    assert set(test.unit(origins)) == set(moves.values())


def test_a_split_too_short_is_refused(dataset: Path) -> None:
    with pytest.raises(DataError, match="no 600 bars in a row"):
        TestSplit(dataset, DatasetConfig(lookback=590, predict=10)).origins(1)
