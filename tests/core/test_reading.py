"""A folder that is read by many, and written by one of them at a time."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kronosforge.core.errors import BusyError
from kronosforge.core.locks import locked, reading

HOLD = """
import sys
from pathlib import Path
from kronosforge.core.locks import reading
with reading(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_readers_share_and_a_writer_waits(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    with (
        reading(folder, "it"),
        reading(folder, "it", wait=0.0),
        pytest.raises(BusyError, match="process"),
        locked(folder, "it", wait=0.1),
    ):
        pass
    with locked(folder, "it", wait=0.0), pytest.raises(BusyError), reading(folder, "it", wait=0.1):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="no shared locks")
def test_the_reader_is_named_and_the_kernel_lets_go_when_it_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=f"process {reader.pid} on "), locked(folder, "it", wait=0.1):
            pass
        reader.kill()
        reader.wait()
        with locked(folder, "it", wait=5.0):
            pass


def test_a_folder_that_cannot_be_written_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with reading(tmp_path / "file" / "d", "it"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="no shared locks")
def test_nobody_is_named_once_the_readers_have_left(tmp_path: Path) -> None:
    with reading(tmp_path / "d", "it"):
        with reading(tmp_path / "d", "it"):
            pass
        assert (tmp_path / ".d.lock").read_text().startswith(f"process {os.getpid()} on ")
    assert (tmp_path / ".d.lock").read_text() == ""


NOBODY = 65534


@contextmanager
def unable_to_write(lock: Path) -> Iterator[None]:
    """This process, as one that may read the lock file and not write it."""
    if os.geteuid():
        lock.chmod(0o444)
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="no shared locks")
def test_a_reader_who_may_not_write_is_waited_for_as_well() -> None:
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)  # pytest's own folders are closed to other users
        folder = Path(parent) / "d"
        with locked(folder, "it"):
            pass
        with unable_to_write(Path(parent) / ".d.lock"):
            held = reading(folder, "it")
            held.__enter__()
        with pytest.raises(BusyError), locked(folder, "it", wait=0.1):
            pass
        held.__exit__(None, None, None)
