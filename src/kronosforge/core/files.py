"""Files that are finished or absent: written aside, fsynced, renamed; a folder's manifest last."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kronosforge.core.errors import DiskError
from kronosforge.core.i18n import _

# A folder's new version on its way: being written → whole on disk → old version removed, names being moved.
INCOMING, READY, MOVING = ".incoming", ".ready", ".moving"

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO,
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG,
}  # fmt: skip


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Raise DiskError that names `path` where the disk refuses to write: no space, no permission, something in the way."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _disk_full(path) from None
        if error.errno in _REFUSED:
            raise _not_writable(path, error) from None
        raise


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Raise DiskError that names `path` where it cannot be read."""
    try:
        yield
    except OSError as error:
        raise DiskError(
            _("{path} cannot be read: {reason}; check its permissions", path=path, reason=error.strerror or error)
        ) from None


def _disk_full(path: Path) -> DiskError:
    return DiskError(
        _("no space left on the disk of {path}; free some and run the command again, nothing was damaged", path=path)
    )


def _not_writable(path: Path, error: OSError) -> DiskError:
    return DiskError(
        _(
            "{path} cannot be written: {strerror}; choose another folder or change its permissions",
            path=path,
            strerror=error.strerror,
        )
    )


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
    """Put `data` at `path`: a reader sees the old bytes or the new ones. Raises DiskError."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with write_errors(path):
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
    new = not folder.exists()
    staging = folder / INCOMING
    try:
        with write_errors(folder):
            recover(folder, manifest, replaces)
            staging.mkdir(parents=True)
        with _write_errors_inside(staging, folder):
            yield staging
        with write_errors(folder):
            _sync_tree(staging)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if new and folder.exists() and not any(folder.iterdir()):
            folder.rmdir()
        raise
    with write_errors(folder):
        staging.rename(folder / READY)
        sync_folder(folder)
        recover(folder, manifest, replaces)


@contextmanager
def _write_errors_inside(staging: Path, folder: Path) -> Iterator[None]:
    """`write_errors(folder)` for a full disk and for files in `staging`; an error of another file stays what it is."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _disk_full(folder) from None
        inside = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(staging)
        if inside and error.errno in _REFUSED:
            raise _not_writable(folder, error) from None
        raise


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
