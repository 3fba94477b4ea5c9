"""Files that are finished or absent: written aside, fsynced, renamed; a folder's manifest last."""

import asyncio
import errno
import hashlib
import io
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from kronosforge.core.errors import BusyError, DiskError
from kronosforge.core.i18n import _

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# A folder's new version on its way: being written → whole on disk → old version removed, names being moved.
INCOMING, READY, MOVING = ".incoming", ".ready", ".moving"

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO,
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG,
}  # fmt: skip


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what a disk can refuse into a DiskError that names the place."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskError(
                _(
                    "no space left on the disk of {path}; free some and run the command again, nothing was damaged",
                    path=path,
                )
            ) from None
        if error.errno in _REFUSED:
            raise DiskError(
                _(
                    "{path} cannot be written: {strerror}; choose another folder or change its permissions",
                    path=path,
                    strerror=error.strerror,
                )
            ) from None
        raise


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable. Windows has no such call, and needs none for renames."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make a written file's bytes durable."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_atomic(path: Path, data: bytes) -> None:
    """Put `data` at `path`: whoever looks sees the old bytes or the new ones. Raises DiskError."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with disk_errors(path):
        try:
            _make_folder(path.parent)
            with aside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            sync_folder(path.parent)
        finally:
            aside.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # of the kernel's own file systems, such as /proc
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder)) from error


@contextmanager
def publishing(folder: Path, manifest: str, replaces: tuple[str, ...]) -> Iterator[Path]:
    """Yield an empty staging folder; on a clean exit what it holds replaces `manifest` and `replaces` in `folder`.

    The staging folder lies inside `folder`, so that this works where `folder` is a mount point or a link; other files
    in `folder` are not touched. Until the new version is whole on disk the old one stands; from then on a killed process
    is finished by `recover`; files of two versions never lie side by side, and `manifest` comes last. Call it under a
    lock. Raises DiskError.
    """
    made = not folder.exists()
    with disk_errors(folder):
        try:
            recover(folder, manifest, replaces)
            (folder / INCOMING).mkdir(parents=True)
            yield folder / INCOMING
            _sync_tree(folder / INCOMING)
        except BaseException:
            shutil.rmtree(folder / INCOMING, ignore_errors=True)
            if made and folder.exists() and not any(folder.iterdir()):
                folder.rmdir()
            raise
        (folder / INCOMING).rename(folder / READY)
        sync_folder(folder)
        recover(folder, manifest, replaces)


def interrupted(folder: Path) -> bool:
    """Whether a version that is whole on disk waits in `folder` for `recover`, or is being moved in."""
    return (folder / READY).exists() or (folder / MOVING).exists()


def recover(folder: Path, manifest: str, replaces: tuple[str, ...]) -> None:
    """Finish, or sweep away, what a killed `publishing` left in `folder`. Idempotent; call it under a lock."""
    shutil.rmtree(folder / INCOMING, ignore_errors=True)
    if (folder / READY).exists():
        for name in (manifest, *replaces):
            _remove(folder / name)
        (folder / READY).rename(folder / MOVING)
    if (folder / MOVING).exists():
        for path in sorted((folder / MOVING).iterdir(), key=lambda p: p.name == manifest):
            path.replace(folder / path.name)
        (folder / MOVING).rmdir()
        sync_folder(folder)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        sync_folder(path) if path.is_dir() else sync_file(path)
    sync_folder(folder)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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
    with disk_errors(path):
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
        with disk_errors(Path(lock.lock_file)):
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


class HashedFile(io.BufferedWriter):
    """A new file that is written from its start to its end; `sha256` digests what was written so far."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self.sha256 = hashlib.sha256()

    def write(self, data: "ReadableBuffer", /) -> int:
        self.sha256.update(data)
        return super().write(data)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical(value: Any) -> bytes:
    """The one JSON spelling of `value`: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def fingerprint(value: Any) -> str:
    """Hex SHA-256 of `value` in its canonical spelling."""
    return hashlib.sha256(canonical(value)).hexdigest()
