"""Verify: a whole dataset passes, and each way of being wrong fails the check that is named for it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kronosforge.core.bars import HOUR
from kronosforge.core.candles import FEATURES
from kronosforge.core.errors import DataError
from kronosforge.dataset import hand_over, native, verify
from kronosforge.dataset.pickles import PickleWriter
from kronosforge.dataset.unpickle import load
from kronosforge.dataset.verify import Check
from kronosforge.split import SPLITS
from kronosforge.workflows.verify import Verification

CHECKS = ["summary", "files", *SPLITS, "windows", "leaks", "normalisation"]


def failed(prepared):
    """Names of the checks that do not hold."""
    return [check.name for check in verify.verify(prepared.folder) if not check.ok]


def detail(prepared, name):
    return next(check.detail for check in verify.verify(prepared.folder) if check.name == name)


def rewrite(prepared, split, change):
    """Write a split's frames again after `change(key, times, values)`, in both forms, hashes and all."""
    frames = load(prepared.folder / f"{split}_data.pkl")
    folder = prepared.folder / "native"
    index = json.loads((folder / "index.json").read_text())
    with (
        (prepared.folder / f"{split}_data.pkl").open("wb") as pickled,
        (folder / split / "candles.npy").open("wb") as rows,
        (folder / split / "time.npy").open("wb") as opens,
    ):
        writers = [PickleWriter(pickled), native.NativeWriter(rows, opens)]
        for key, frame in frames.items():
            times, values = change(key, frame.index.asi8 // 1_000_000, frame.to_numpy(copy=True))
            for writer in writers:
                writer.add(key, times, list(values.T))
        for writer in writers:
            writer.finish()
    native.write_index(prepared.folder, {**index, split: writers[1].segments})
    prepared.rehash()


def test_a_whole_dataset_passes_every_check(prepared):
    checks = verify.verify(prepared.folder)
    assert [check.name for check in checks] == CHECKS
    assert [check.detail for check in checks if not check.ok] == []


def test_rewriting_without_a_change_passes_too(prepared):
    rewrite(prepared, "val", lambda key, times, values: (times, values))
    assert failed(prepared) == []


@pytest.mark.parametrize("name", ["train_data.pkl", "native/val/time.npy", "report.html"])
def test_a_changed_byte_is_found(prepared, name):
    path = prepared.folder / name
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    assert "files" in failed(prepared)
    assert f"{name} was changed" in detail(prepared, "files")


def test_missing_and_unlisted_files_are_found(prepared):
    (prepared.folder / "report.html").rename(prepared.folder / "native" / "notes.txt")
    assert failed(prepared) == ["files"]
    assert detail(prepared, "files") == "report.html is missing; native/notes.txt is not in the summary"


def test_the_copy_for_kronos_is_checked_by_its_bytes(prepared, tmp_path):
    hand_over(prepared.folder, tmp_path / "kronos")
    assert [(check.name, check.ok) for check in verify.verify(tmp_path / "kronos")] == [
        ("summary", True),
        ("files", True),
    ]
    with (tmp_path / "kronos" / "val_data.pkl").open("ab") as pickled:
        pickled.write(b".")
    assert [check.detail for check in verify.verify(tmp_path / "kronos") if not check.ok] == [
        "val_data.pkl was changed after it was written"
    ]


def test_a_dataset_without_its_native_form_is_no_copy(prepared):
    shutil.rmtree(prepared.folder / "native")
    assert failed(prepared) == ["files", *SPLITS]


def test_a_summary_cannot_point_outside_the_dataset(prepared):
    summary = prepared.summary()
    summary["files"].append({"filename": "../../etc/passwd", "sha256": ""})
    prepared.write_summary(summary)
    assert detail(prepared, "files") == "../../etc/passwd is missing"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 99}', '{"schema": 1, "files": 3}'])
def test_a_broken_summary_ends_the_checks(prepared, text):
    (prepared.folder / "data_summary.json").write_text(text)
    [only] = verify.verify(prepared.folder)
    assert not only.ok
    assert "not a dataset summary that this version can read" in only.detail


def test_a_folder_without_a_summary_is_no_dataset(tmp_path):
    assert [check.ok for check in verify.verify(tmp_path)] == [False]


def put(column, row, value):
    """A change that puts `value` into one cell of BTC's frame."""

    def change(key, times, values):
        if key == "BTC_1H":
            values[row, FEATURES.index(column)] = value
        return times, values

    return change


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("close", np.nan, "not finite: 1"),
        ("vol", np.inf, "not finite: 1"),
        ("low", -1.0, "not positive: 1"),
        ("high", 1.0, "high or low inside the body: 1"),
        ("low", 120.0, "high or low inside the body: 1"),
        ("amt", -1.0, "negative volume or turnover: 1"),
    ],
)
def test_impossible_candles_are_found(prepared, column, value, message):
    rewrite(prepared, "train", put(column, 5, value))
    assert "train" in failed(prepared)
    assert f"BTC_1H: {message}" in detail(prepared, "train").replace("values that are ", "").replace(
        "prices that are ", ""
    )


@pytest.mark.parametrize("shift", [HOUR, -HOUR, 1])
def test_a_gap_or_a_step_back_inside_a_frame_is_found(prepared, shift):
    def change(key, times, values):
        return np.where(np.arange(len(times)) > 5, times + shift, times), values

    rewrite(prepared, "val", change)
    assert "val" in failed(prepared)
    assert "do not follow each other" in detail(prepared, "val")


def test_sessions_may_have_pauses(prepared):
    summary = prepared.summary()
    summary["config"]["clean"]["calendar"] = "XSHG"
    prepared.write_summary(summary)
    rewrite(prepared, "test", lambda key, times, values: (times + (np.arange(len(times)) > 5) * HOUR, values))
    assert failed(prepared) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"\x08datetime", b"\x08datetimE", "not a DatetimeIndex named datetime"),
        (b"\x03vol", b"\x03voL", "columns are not"),
    ],
)
def test_another_index_name_or_column_is_found(prepared, old, new, message):
    path = prepared.folder / "val_data.pkl"
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    prepared.rehash()
    assert "val" in failed(prepared)
    assert message in detail(prepared, "val")


def test_a_pickle_that_runs_code_fails_its_split(prepared):
    (prepared.folder / "val_data.pkl").write_bytes(b"cos\nmkdir\n.")
    prepared.rehash()
    assert failed(prepared) == ["val"]


def test_native_values_that_are_not_the_pickles_are_found(prepared):
    path = prepared.folder / "native/test/candles.npy"
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    prepared.rehash()
    assert failed(prepared) == ["test"]
    assert "native/ has other values" in detail(prepared, "test")


def test_keys_that_the_index_does_not_have_are_found(prepared):
    path = prepared.folder / "native/index.json"
    path.write_text(path.read_text().replace("ETH_1H", "ETC_1H"))
    prepared.rehash()
    assert failed(prepared) == list(SPLITS)


def test_wrong_counts_of_windows_are_found(prepared):
    summary = prepared.summary()
    summary["windows"]["val"] += 1
    summary["series"]["BTC_1H"]["windows"]["test"] -= 1
    prepared.write_summary(summary)
    assert failed(prepared) == ["windows"]
    right = prepared.summary()
    assert f"val: {right['windows']['val'] - 1} ≠ {right['windows']['val']}" in detail(prepared, "windows")


@pytest.mark.parametrize(("split", "bars"), [("train", 1), ("val", -1), ("val", 1), ("test", -1)])
def test_a_bar_beyond_a_cut_is_a_leak(prepared, split, bars):
    rewrite(prepared, split, lambda key, times, values: (times + bars * HOUR, values))
    assert failed(prepared) == ["leaks"]


def test_bars_that_occur_twice_are_a_leak(prepared):
    gap = 152 * HOUR  # the second segment of BTC onto its first one

    def change(key, times, values):
        return (times - gap, values) if key == "BTC_1H#2" else (times, values)

    rewrite(prepared, "train", change)
    assert failed(prepared) == ["leaks"]
    assert "bars occur twice" in detail(prepared, "leaks")


def test_a_normalisation_that_sees_the_future_is_found(prepared, monkeypatch):
    def leaking(window, lookback, clip):
        return (window - window.mean(axis=-2, keepdims=True)) / window.std(axis=-2, keepdims=True)

    monkeypatch.setattr(verify, "normalize", leaking)
    assert failed(prepared) == ["normalisation"]


def test_every_failed_check_is_named_in_one_line():
    checks = [Check("files", False, "x"), Check("train", True, "y"), Check("leaks", False, "z")]
    with pytest.raises(DataError, match=r"2 of 3 checks failed \(files, leaks\); prepare it again with --force"):
        Verification(Path("d"), checks).refuse_failures()
