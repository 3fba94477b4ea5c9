"""Files that are finished or absent: written aside, fsynced, renamed; a folder's manifest last."""

import errno
import hashlib
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kronosforge.errors import BusyError, DiskError
from kronosforge.text import tr

# A folder's new version on its way: being written → whole on disk → old version removed, names being moved.
INCOMING, READY, MOVING = ".incoming", ".ready", ".moving"


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what a disk can refuse into a DiskError that names the place."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskError(
                tr(
                    f"no space left on the disk of {path}; free some and run the command again, nothing was damaged",
                    f"{path} 所在磁盘已满;请清理后重新运行,原有数据未受影响",
                )
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise DiskError(
                tr(
                    f"{path} cannot be written: {error.strerror}; choose another folder or change its permissions",
                    f"无法写入 {path}:{error.strerror};请换目录或修改权限",
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
            path.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            sync_folder(path.parent)
        finally:
            aside.unlink(missing_ok=True)


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
        recover(folder, manifest, replaces)


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
    call the thing: `the dataset model_a_4h`. The lock file lies beside `folder` and is removed with the lock.
    """
    path = folder.with_name(f".{folder.name}.lock")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _wait_for(lock, path, what, wait)
    try:
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        lock.release()


def _wait_for(lock: FileLock, path: Path, what: str, wait: float) -> None:
    try:
        holder = path.read_text() or "another process"
    except OSError:
        holder = "another process"
    print(
        tr(f"waiting for {what}: {holder} is writing it", f"等待 {what}:{holder} 正在写入"), file=sys.stderr, flush=True
    )
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise BusyError(
            tr(
                f"{what} is held by {holder} for more than {wait:.0f} s; let it end, or stop it, and try again",
                f"{what} 被 {holder} 占用超过 {wait:.0f} 秒;请等它结束或停止它后重试",
            )
        ) from None


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
