"""The copy for Kronos' own trainer: all or none, beside what else lies there, and never a way into the dataset."""

import errno
import shutil

import pytest

from kronosforge.core.errors import DiskError
from kronosforge.dataset import hand_over
from kronosforge.workspace.paths import MANIFEST, PICKLES


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_three_pickles_and_the_summary_arrive(prepared, tmp_path):
    target = tmp_path / "Kronos" / "finetune" / "data"
    hand_over(prepared.folder, target)
    assert names(target) == sorted([*PICKLES, MANIFEST])
    for name in (*PICKLES, MANIFEST):
        assert (target / name).read_bytes() == (prepared.folder / name).read_bytes()


def test_an_older_copy_is_replaced_and_other_files_stay(prepared, tmp_path):
    target = tmp_path / "data"
    target.mkdir()
    for name in (*PICKLES, "notes.txt"):
        (target / name).write_text("old")
    hand_over(prepared.folder, target)
    assert names(target) == sorted([*PICKLES, MANIFEST, "notes.txt"])
    assert (target / "notes.txt").read_text() == "old"
    assert (target / "val_data.pkl").read_bytes() == (prepared.folder / "val_data.pkl").read_bytes()


def test_what_is_written_into_the_copy_does_not_reach_the_dataset(prepared, tmp_path):
    hand_over(prepared.folder, tmp_path / "data")
    before = (prepared.folder / "train_data.pkl").read_bytes()
    with (tmp_path / "data" / "train_data.pkl").open("rb+") as file:
        file.write(b"x" * 100)
    assert (prepared.folder / "train_data.pkl").read_bytes() == before


def test_a_full_disk_leaves_the_older_copy_whole(prepared, tmp_path, monkeypatch):
    target = tmp_path / "data"
    hand_over(prepared.folder, target)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    (prepared.folder / MANIFEST).write_text("{}")
    copy = shutil.copyfile

    def full(source, place):
        if source.name == "test_data.pkl":
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(source, place)

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DiskError, match="no space left"):
        hand_over(prepared.folder, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before


def test_a_dataset_that_lies_there_already_stays(prepared):
    before = names(prepared.folder)
    hand_over(prepared.folder, prepared.folder / "native" / "..")
    assert names(prepared.folder) == before
