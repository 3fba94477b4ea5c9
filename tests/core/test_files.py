"""Files are finished or absent, whatever happens meanwhile."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kronosforge.core.digests import canonical, fingerprint, sha256
from kronosforge.core.errors import BusyError, DiskError
from kronosforge.core.files import publishing, recover, write_atomic
from kronosforge.core.locks import locked, locked_async
from tests.core.publish_killed import NAMES, NEW, OLD, lay, publish

ROOT = Path(__file__).resolve().parents[2]
STEPS = range(60)


def _tree(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


class TestWriteAtomic:
    def test_writes_and_replaces(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "file"
        write_atomic(path, b"one")
        write_atomic(path, b"two")
        assert _tree(tmp_path) == {"new/file": "two"}

    def test_a_failure_leaves_the_old_bytes_and_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_atomic(tmp_path / "file", b"one")

        def fails(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(DiskError, match="no space"):
            write_atomic(tmp_path / "file", b"two")
        assert _tree(tmp_path) == {"file": "one"}

    def test_a_file_where_a_folder_should_be_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "folder").write_text("a file")
        with pytest.raises(DiskError, match="folder"):
            write_atomic(tmp_path / "folder" / "file", b"")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders whose old version was being replaced when the process was killed, each at a later step."""
    if not hasattr(os, "fork"):
        pytest.skip("kills forked processes")
    root = tmp_path_factory.mktemp("killed")
    for step in STEPS:
        lay(root / str(step), {**OLD, "mine.txt": "mine"})
    command = [sys.executable, "-m", "tests.core.publish_killed", str(root), *map(str, STEPS)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=120)
    deaths = ran.stdout.split().count("-9")
    assert 20 < deaths < len(STEPS), "from the first step to past the last"
    return [root / str(step) for step in STEPS[:deaths]]


def test_killed_anywhere_two_versions_never_lie_side_by_side(killed: list[Path]) -> None:
    for folder in killed:
        tree = {k: v for k, v in _tree(folder).items() if not k.startswith((".", "mine"))}
        assert len(set(tree.values())) <= 1, folder
        assert "manifest.json" not in tree or tree in (OLD, NEW), folder


def test_killed_anywhere_one_version_is_recovered_whole(killed: list[Path]) -> None:
    seen = []
    for folder in killed:
        recover(folder, "manifest.json", NAMES)
        tree = _tree(folder)
        assert tree.pop("mine.txt") == "mine"
        assert tree in (OLD, NEW), folder
        seen.append(tree["manifest.json"])
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {"old", "new"}


def test_killed_anywhere_publishing_again_works(killed: list[Path]) -> None:
    for folder in killed:
        publish(folder)
        assert _tree(folder) == {**NEW, "mine.txt": "mine"}


class TestPublishing:
    def test_what_is_replaced_goes_and_other_files_stay(self, tmp_path: Path) -> None:
        lay(tmp_path, {**OLD, "mine.txt": "mine"})
        publish(tmp_path)
        assert _tree(tmp_path) == {**NEW, "mine.txt": "mine"}

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_an_error_leaves_the_old_version(self, tmp_path: Path, error: type[BaseException]) -> None:
        lay(tmp_path, OLD)
        with pytest.raises(error), publishing(tmp_path, "manifest.json", NAMES) as staging:
            lay(staging, NEW)
            raise error
        assert _tree(tmp_path) == OLD

    def test_an_error_leaves_no_folder_where_none_was(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="no"), publishing(tmp_path / "new", "manifest.json", NAMES):
            raise ValueError("no")
        assert list(tmp_path.iterdir()) == []


class TestLocked:
    @pytest.fixture
    def holder(self, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
        """Another process that holds the lock of `tmp_path/thing` until its input ends."""
        code = f"""
import sys
from pathlib import Path
from kronosforge.core.locks import locked
with locked(Path({str(tmp_path / "thing")!r}), "the thing"):
    print("held", flush=True)
    sys.stdin.read()
"""
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
            process.kill()

    def test_a_second_process_says_whom_it_waits_for(
        self, holder: subprocess.Popen[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(BusyError, match=f"process {holder.pid} "), locked(tmp_path / "thing", "the thing", 0.1):
            pass
        assert f"waiting for the thing: process {holder.pid} " in capsys.readouterr().err

    def test_a_second_process_goes_on_when_the_first_ends(self, holder: subprocess.Popen[str], tmp_path: Path) -> None:
        async def wait_while_the_loop_runs() -> int:
            async def let_go() -> int:
                assert holder.stdin
                await asyncio.sleep(0.1)
                holder.stdin.close()
                return time.monotonic_ns()

            let_go_at = asyncio.create_task(let_go())
            async with locked_async(tmp_path / "thing", "the thing", 30):
                return time.monotonic_ns() - await let_go_at

        assert asyncio.run(wait_while_the_loop_runs()) > 0

    def test_a_killed_holder_holds_nothing(self, holder: subprocess.Popen[str], tmp_path: Path) -> None:
        holder.kill()
        holder.wait()
        with locked(tmp_path / "thing", "the thing", 0):
            pass

    def test_the_lock_file_is_empty_when_nobody_holds_it(self, tmp_path: Path) -> None:
        with locked(tmp_path / "thing", "the thing"):
            assert (tmp_path / ".thing.lock").read_text() == f"process {os.getpid()} on {os.uname().nodename}"
        assert (tmp_path / ".thing.lock").read_text() == ""

    def test_one_process_waits_for_itself_in_silence(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(BusyError), locked(tmp_path / "thing", "a"), locked(tmp_path / "thing", "a", 0.05):
            pass
        assert capsys.readouterr().err == ""

    def test_an_error_inside_releases_it(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="no"), locked(tmp_path / "thing", "a"):
            raise ValueError("no")
        with locked(tmp_path / "thing", "a", 0):
            pass


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root on Linux")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_keeps_the_old_file(tiny_disk: Path) -> None:
    write_atomic(tiny_disk / "file", b"old")
    with pytest.raises(DiskError, match="no space left"):
        write_atomic(tiny_disk / "file", bytes(1 << 20))
    assert _tree(tiny_disk) == {"file": "old"}


def test_a_full_disk_keeps_the_old_version(tiny_disk: Path) -> None:
    lay(tiny_disk, OLD)
    with (
        pytest.raises(DiskError, match="no space left"),
        publishing(tiny_disk, "manifest.json", NAMES) as staging,
    ):
        (staging / "train.pkl").write_bytes(bytes(1 << 20))
    assert _tree(tiny_disk) == OLD


def test_fingerprints_do_not_see_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [1.5, None]}) == fingerprint({"b": [1.5, None], "a": 1})
    assert canonical({"b": "é", "a": 1}) == '{"a":1,"b":"é"}'.encode()


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class TestErrorsWhilePublishing:
    def test_a_file_elsewhere_that_cannot_be_read_is_not_blamed_on_the_folder(self, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError) as error, publishing(tmp_path / "dataset", "manifest", ()):
            tmp_path.read_bytes()
        assert error.value.filename == str(tmp_path)
        assert not (tmp_path / "dataset").exists()

    def test_a_file_inside_that_cannot_be_written_names_the_folder(self, tmp_path: Path) -> None:
        with (
            pytest.raises(DiskError, match="dataset cannot be written"),
            publishing(tmp_path / "dataset", "m", ()) as staging,
        ):
            (staging / ("long" * 100)).write_bytes(b"")

    def test_a_full_disk_is_said_whatever_was_written(self, tmp_path: Path) -> None:
        with pytest.raises(DiskError, match="no space left"), publishing(tmp_path / "dataset", "manifest", ()):
            Path("/dev/full").write_bytes(b"x")
