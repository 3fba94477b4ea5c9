"""Folders that one process writes, or several read, at a time."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from kronosforge.core.errors import BusyError
from kronosforge.core.files import write_errors
from kronosforge.core.i18n import _

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path, what: str, wait: float = 600.0) -> Iterator[None]:
    """Hold `folder` for writing: one process at a time, released by the kernel if that process is killed.

    A second process waits up to `wait` seconds, saying whom it waits for, then raises BusyError. `what` is how people
    call the thing: `the dataset model_a_4h`. The lock file stays beside `folder`, empty while nobody holds it: removing
    it would let two processes hold two files of that name.
    """
    lock = _lock(folder)
    for pause in _tries(lambda: _taken(lock), Path(lock.lock_file), what, wait):
        time.sleep(pause)
    with _noted(lock):
        yield


@asynccontextmanager
async def locked_async(folder: Path, what: str, wait: float = 600.0) -> AsyncIterator[None]:
    """`locked` for coroutines: while one waits, the others run."""
    lock = _lock(folder)
    for pause in _tries(lambda: _taken(lock), Path(lock.lock_file), what, wait):
        await asyncio.sleep(pause)
    with _noted(lock):
        yield


@contextmanager
def reading(folder: Path, what: str, wait: float = 600.0) -> Iterator[None]:
    """Hold `folder` for reading: others may read as well, and who wants to write waits, or the other way round.

    Released by the kernel if the process is killed. Nothing is held on Windows, which has no shared locks of this kind,
    nor where there is no lock file and none can be made: no process has locked the folder, and this one may not write there.
    Raises BusyError after `wait` seconds.
    """
    if fcntl is None or (descriptor := _opened(_lock_path(folder))) is None:
        yield
        return
    try:
        for pause in _tries(lambda: _shared(descriptor), _lock_path(folder), what, wait):
            time.sleep(pause)
        with _noted_reader(descriptor, _lock_path(folder)):
            yield
    finally:
        os.close(descriptor)


@contextmanager
def _noted_reader(descriptor: int, path: Path) -> Iterator[None]:
    """Name this process inside the lock file, a courtesy to a writer that waits; afterwards the reader before it."""
    before = b""
    try:
        with suppress(OSError):
            before = path.read_bytes()
            os.pwrite(descriptor, _me().encode().ljust(200), 0)
        yield
    finally:
        with suppress(OSError, ValueError):
            if path.read_text("utf-8").strip() == _me():
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, before, 0)


def _opened(path: Path) -> int | None:
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):  # another user's lock file can be locked, and not written
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o644)
    return None


def _shared(descriptor: int) -> bool:
    """Whether the lock could be had at once. The same lock as FileLock's: flock on the whole file."""
    assert fcntl is not None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_path(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _lock(folder: Path) -> FileLock:
    path = _lock_path(folder)
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def _tries(taken: Callable[[], bool], path: Path, what: str, wait: float) -> Iterator[float]:
    """Try until the lock in `path` is `taken`; yields the pause before each further try. Raises BusyError after `wait` s."""
    end = time.monotonic() + wait
    pause = 0.02
    reported = False
    while not taken():
        holder = _holder(path)
        if time.monotonic() >= end:
            raise BusyError(
                _(
                    "{what} is held by {holder} for more than {wait:.0f} s; let it end, or stop it, and try again",
                    what=what,
                    holder=holder,
                    wait=wait,
                )
            )
        if not reported and holder != _me():
            reported = True
            waiting = _("waiting for {what}: {holder} is using it", what=what, holder=holder)
            print(waiting, file=sys.stderr, flush=True)
        yield pause
        pause = min(0.5, 2 * pause)


def _taken(lock: FileLock) -> bool:
    try:
        with write_errors(Path(lock.lock_file)):
            lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


@contextmanager
def _noted(lock: FileLock) -> Iterator[None]:
    """Name the holder inside the lock file. It is a courtesy to those who wait: Windows or a full disk may refuse it."""
    path = Path(lock.lock_file)
    try:
        with suppress(OSError):
            path.write_text(_me(), "utf-8")
        yield
    finally:
        with suppress(OSError):
            path.write_text("")
        lock.release()


def _me() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _holder(path: Path) -> str:
    try:
        note = path.read_text("utf-8").strip()
    except (OSError, ValueError):
        note = ""
    return note or _("another process")
