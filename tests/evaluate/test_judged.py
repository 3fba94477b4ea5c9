"""What each origin gave: kept whole, and pooled."""

from pathlib import Path

import numpy as np
import pytest

from kronosforge.config import ModelConfig
from kronosforge.evaluate.baselines import baselines
from kronosforge.evaluate.judged import Judged
from kronosforge.evaluate.rolling import TestSplit, roll


@pytest.fixture(scope="module")
def judged(prepared_root: Path, config: ModelConfig) -> Judged:
    test = TestSplit(prepared_root / config.dataset_path, config.dataset)
    origins = test.origins(1)
    return Judged(origins, roll(test, origins, baselines(origins.bars, 8, 4, 0)))


def same(left: Judged, two: Judged) -> bool:
    columns = ("instants", "at", "of", "row", "begin", "end")
    alike = all(np.array_equal(getattr(left.origins, c), getattr(two.origins, c)) for c in columns)
    scores = list(left.scores) == list(two.scores) and all(
        own_scores.values.keys() == two.scores[name].values.keys()
        and np.array_equal(own_scores.pit, two.scores[name].pit)
        and all(
            np.array_equal(own_scores.values[k], two.scores[name].values[k], equal_nan=True) for k in own_scores.values
        )
        for name, own_scores in left.scores.items()
    )
    return alike and scores and left.origins.series == two.origins.series


def test_it_is_kept_to_the_last_bit_and_equally_each_time(judged: Judged, tmp_path: Path) -> None:
    for name in ("a", "b"):
        judged.save(tmp_path / name, "mark")
    loaded = Judged.load(tmp_path / "a", "mark")
    assert loaded is not None
    assert same(loaded, judged)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_of_another_mark_or_broken_it_is_as_if_absent(judged: Judged, tmp_path: Path) -> None:
    judged.save(tmp_path / "a", "mark")
    assert Judged.load(tmp_path / "a", "other") is None
    assert Judged.load(tmp_path / "b", "mark") is None
    whole = (tmp_path / "a").read_bytes()
    for broken in (b"", b"text", whole[:100], whole[: len(whole) // 2], whole[:-1]):
        (tmp_path / "a").write_bytes(broken)
        assert Judged.load(tmp_path / "a", "mark") is None


def test_parts_of_a_test_pooled_are_the_test(judged: Judged) -> None:
    """Cut by time, and joined: the same forecasts at the same instants, whatever their order."""
    late = judged.origins.at >= len(judged.origins.instants) // 2
    parts = [judged.only(~late), judged.only(late)]
    whole = Judged.join(parts)
    assert np.array_equal(whole.origins.instants, judged.origins.instants)
    order = np.argsort(late, kind="stable")
    columns = ("at", "of", "row", "begin", "end")
    assert all(np.array_equal(getattr(whole.origins, c), getattr(judged.origins, c)[order]) for c in columns)
    for name, left in judged.scores.items():
        assert np.array_equal(whole.scores[name].values["crps"], left.values["crps"][order])
        assert np.array_equal(whole.scores[name].pit, left.pit[order])


def test_series_are_known_by_name_and_forecasters_by_all(judged: Judged) -> None:
    """Where a part lacks a series or a forecaster, the others' numbers do not slip."""
    named = judged.origins
    alone = judged.only(named.of == 2)
    names = [name for name in alone.scores if name != "drift"]
    last = Judged(
        type(named)(named.series[2:], *(getattr(alone.origins, c) for c in ("instants", "at")), alone.origins.of - 2,
                    *(getattr(alone.origins, c) for c in ("row", "begin", "end"))),
        {name: alone.scores[name] for name in names},
    )  # fmt: skip
    whole = Judged.join([last, judged.only(named.of < 2)])
    assert list(whole.scores) == names
    keys = np.array(whole.origins.series)[whole.origins.of]
    crps = whole.scores["random walk"].values["crps"]
    for j, key in enumerate(named.series):
        assert np.array_equal(crps[keys == key], judged.scores["random walk"].values["crps"][named.of == j])
