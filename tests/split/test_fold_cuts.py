"""Folds: test windows that follow one another, each with all that lies before it."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.config import SplitConfig
from kronosforge.core.bars import HOUR, series
from kronosforge.core.errors import DataError
from kronosforge.split import ALWAYS, Timeline, check_folds, count, cut, cuts, fold_cuts, records_needed
from tests.split.test_cuts import models, opens

SETTINGS = SplitConfig()


def timeline_of(model):
    return Timeline.join(Timeline.of(times, s.bar.length) for s, times in model)


@given(models(), st.integers(1, 8))
def test_tests_follow_one_another_to_the_end_and_all_else_lies_before(model, folds):
    if not any(len(times) for _, times in model):
        return
    walk = fold_cuts(timeline_of(model), SETTINGS, folds)
    assert len(walk) == folds
    assert all(at.train_end <= at.val_end <= at.test_end for at in walk)
    assert [at.test_end for at in walk] == [*(at.val_end for at in walk[1:]), ALWAYS.stop]
    for s, times in model:
        tests = [times[at.slices(times, s.bar.length)["test"]] for at in walk]
        assert list(np.concatenate(tests)) == [t for t in times if t >= walk[0].val_end]


@given(models())
def test_one_fold_is_the_split_of_the_whole(model):
    if any(len(times) for _, times in model):
        assert fold_cuts(timeline_of(model), SETTINGS, 1) == [cuts(model, SETTINGS)]


def test_the_first_fold_is_split_as_the_config_says_and_the_others_are_as_long():
    btc, times = opens("BTC_4H", 1450)  # 1 + 3 × 15 %: a first fold of 1000 bars, and three more test splits
    walk = fold_cuts(timeline_of([(btc, times)]), SETTINGS, 4)
    sizes = [{split: len(times[rows]) for split, rows in at.slices(times, 4 * HOUR).items()} for at in walk]
    assert sizes == [{"train": n, "val": 150, "test": 150} for n in (700, 850, 1000, 1150)]
    assert cut(timeline_of([(btc, times[:1000])]), SETTINGS)[:2] == walk[0][:2]


def windows(times, window):
    return lambda folds: [
        {split: count([rows.stop - rows.start], window) for split, rows in at.slices(times, 4 * HOUR).items()}
        for at in fold_cuts(Timeline.of(times, 4 * HOUR), SETTINGS, folds)
    ]


def test_too_many_folds_are_refused_with_how_many_fit_and_how_many_records_they_need():
    btc, times = opens("BTC_4H", 400)
    check_folds(windows(times, 30), 3, [btc], SETTINGS, 30)
    with pytest.raises(DataError, match=r"Fold \d+ of 12 has too few windows of 30 bars: train \d+, val .*") as error:
        check_folds(windows(times, 30), 12, [btc], SETTINGS, 30)
    most, needed = map(
        int, re.findall(r"at most (\d+) folds fit .* 12 folds need about (\d+) records", str(error.value))[0]
    )
    check_folds(windows(times, 30), most, [btc], SETTINGS, 30)
    with pytest.raises(DataError, match=f"at most {most} folds fit"):
        check_folds(windows(times, 30), most + 1, [btc], SETTINGS, 30)
    check_folds(windows(opens("BTC_4H", needed)[1], 30), 12, [btc], SETTINGS, 30)
    with pytest.raises(DataError):
        check_folds(windows(opens("BTC_4H", needed - 1)[1], 30), 12, [btc], SETTINGS, 30)


def test_a_history_too_short_for_any_folds_says_so():
    btc, times = opens("BTC_4H", 60)
    with pytest.raises(DataError, match="no folds fit into this history, and 2 folds need about"):
        check_folds(windows(times, 30), 2, [btc], SETTINGS, 30)


def test_more_folds_need_more_records():
    needed = [records_needed([series("A_4H"), series("B_1D")], SETTINGS, 20, folds) for folds in (1, 2, 5, 10)]
    assert needed == sorted(set(needed))
