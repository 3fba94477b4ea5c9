"""A damaged store is reported, and the next update repairs it from the venue."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kronosforge.core.errors import DataError, DiskError
from kronosforge.store import shelf
from tests.fakes import MemorySource, candles, grid
from tests.store.shelves import BAR, Bench, numbers


@pytest.fixture
def filled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Bars 0 to 29 with a gap at 12, in the files 0–19 and 20–29; read by a process that has verified nothing yet."""
    monkeypatch.setattr(shelf, "MAX_ROWS", 20)
    bench.update(_venue(), 0, 20)
    bench.update(_venue(), 20, 30)
    assert len(bench.files()) == 2
    return Bench(bench.store.root)


def _venue() -> MemorySource:
    return MemorySource(candles(t for t in grid(BAR, 30) if t != 12 * BAR.length))


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _nest(path: Path) -> None:
    path.write_bytes(b"[" * 100_000)


DAMAGES = [_flip, _truncate, _empty, Path.unlink, _loop, _directory, _nest]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_on_reading(filled: Bench, damage: Callable[[Path], None]) -> None:
    damage(filled.files()[0])
    with pytest.raises(DataError, match="run prepare again"):
        filled.read()
    with pytest.raises(DataError, match="run prepare again"):
        filled.times()


@pytest.mark.parametrize("damage", [damage for damage in DAMAGES if damage is not _flip])
def test_the_inventory_warns_of_a_file_of_another_size(
    filled: Bench, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = filled.files()[0]
    damage(path)
    (stock,) = filled.store.inventory()
    assert stock.rows == 29
    assert path.name in caplog.text
    assert "is damaged" in caplog.text


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_inventory_warns_of_a_damaged_manifest(
    filled: Bench, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    damage(filled.folder / "manifest.json")
    assert filled.store.inventory() == []
    assert "manifest.json is damaged" in caplog.text


def test_a_directory_is_set_aside_twice(filled: Bench) -> None:
    for _attempt in range(2):
        path = filled.files()[0]
        _directory(path)
        (path / "notes.txt").touch()
        filled.update(_venue(), 0, 30)
    assert filled.read().equals(_venue().frame)


@pytest.mark.parametrize("damage", DAMAGES)
def test_only_its_span_is_fetched_again(
    filled: Bench, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    path = filled.files()[0]
    damage(path)
    source = _venue()
    done = filled.update(source, 0, 30)
    assert numbers(source.asked) == [(0, 20), (12, 13)]
    assert filled.read().equals(source.frame)
    assert filled.gaps() == [(12, 13)]
    assert done.set_aside == [path]
    assert path.name in capsys.readouterr().err


@pytest.mark.parametrize("damage", DAMAGES[:3])
def test_the_damaged_file_is_kept_aside(filled: Bench, damage: Callable[[Path], None]) -> None:
    path = filled.files()[0]
    damage(path)
    damaged = path.read_bytes()
    filled.update(_venue(), 0, 30)
    assert (filled.folder / "corrupt" / path.name).read_bytes() == damaged


def test_a_file_damaged_after_it_was_verified_is_noticed(filled: Bench) -> None:
    filled.read()
    _flip(filled.files()[1])
    with pytest.raises(DataError):
        filled.read()


def test_other_spans_are_still_read(filled: Bench) -> None:
    _flip(filled.files()[0])
    assert filled.times(20, 30) == list(range(20, 30))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_manifest_is_set_aside_with_its_files(
    filled: Bench, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(filled.folder / "manifest.json")
    with pytest.raises(DataError, match="run prepare again"):
        filled.read()
    assert filled.missing(0, 30) == [(0, 30)]
    lost = filled.files()
    source = _venue()
    filled.update(source, 0, 30)
    assert filled.read().equals(source.frame)
    assert "manifest.json" in capsys.readouterr().err
    assert {path.name for path in lost} <= {path.name for path in (filled.folder / "corrupt").iterdir()}


def test_a_digit_changed_in_the_manifest_is_noticed(filled: Bench) -> None:
    manifest = filled.folder / "manifest.json"
    body = json.loads(manifest.read_bytes())
    body["holes"] = [[0, BAR.length]]
    manifest.write_text(json.dumps(body))
    with pytest.raises(DataError, match=r"manifest\.json"):
        filled.read()


def test_a_later_version_is_not_touched(filled: Bench) -> None:
    manifest = filled.folder / "manifest.json"
    manifest.write_text('{"version": 2}')
    with pytest.raises(DataError, match="update kronosforge"):
        filled.update(_venue(), 0, 30)
    assert manifest.read_text() == '{"version": 2}'
    assert len(filled.files()) == 2


def test_a_full_disk_leaves_what_was_there(filled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled.read(0, 30)

    def full(path: Path, data: bytes) -> None:
        raise DiskError("no space")

    monkeypatch.setattr(shelf, "write_atomic", full)
    with pytest.raises(DiskError):
        filled.update(MemorySource(candles(grid(BAR, 40))), 0, 40)
    monkeypatch.undo()
    assert filled.read(0, 30).equals(before)
    assert filled.missing(0, 40) == [(30, 40)]


def test_files_of_the_user_are_left_alone(filled: Bench) -> None:
    note = filled.folder / "notes.txt"
    note.write_text("mine")
    filled.update(_venue(), 0, 30)
    assert note.read_text() == "mine"
