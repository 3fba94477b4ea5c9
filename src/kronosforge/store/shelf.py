"""One series' folder: immutable data files, a manifest that names them, and `corrupt/` for damaged files."""

import errno
import hashlib
import io
import logging
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from kronosforge.core.bars import Bar, Span
from kronosforge.core.candles import FEATURES, SCHEMA, empty
from kronosforge.core.errors import DataError
from kronosforge.core.files import read_errors, sync_folder, write_atomic, write_errors
from kronosforge.core.i18n import _
from kronosforge.store.ledger import DataFile, Ledger, NewerError, parse

MANIFEST, CORRUPT = "manifest.json", "corrupt"
# Rows of a compacted file, about 8 MB: small enough to rewrite when a series grows, large enough to read at full speed.
MAX_ROWS = 200_000

log = logging.getLogger("kronosforge.store")

_Result = TypeVar("_Result")


class DamagedError(DataError):
    """A file of the store is missing or differs from what was written."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            _(
                "{path} is damaged ({problem}); run prepare again to set it aside and download its candles again",
                path=path,
                problem=problem,
            )
        )


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Raise DamagedError where `path` is missing, a directory or a symlink loop; DiskError where it cannot be read."""
    with read_errors(path):
        try:
            yield
        except FileNotFoundError:
            raise DamagedError(path, _("missing")) from None
        except OSError as error:
            if error.errno != errno.ELOOP and not path.is_dir():
                raise
            raise DamagedError(path, _("not a file")) from None


class Shelf:
    """The candles of one series. Reading needs no lock; methods that change the folder do."""

    def __init__(self, folder: Path, bar: Bar) -> None:
        self.folder = folder
        self.bar = bar
        self._intact: set[tuple[str, int, int]] = set()  # name, size, mtime of the files whose digest was right

    # ── reading

    def ledger(self) -> Ledger:
        """The parsed manifest. Raises DamagedError; DataError for a later version's manifest."""
        path = self.folder / MANIFEST
        if not path.is_symlink() and not path.exists() and not any(self.folder.glob("*.parquet")):
            return Ledger()
        try:
            with _damage(path):
                return parse(path.read_bytes())
        except NewerError as error:
            raise DataError(
                _(
                    "{path} has version {version}, written by a later kronosforge; update kronosforge",
                    path=path,
                    version=error,
                )
            ) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DamagedError(path, _("its content was changed")) from None

    def look(self, query: Callable[[Ledger], _Result]) -> _Result:
        """The result of `query(ledger)`, retried if a writer replaced files meanwhile. Raises DamagedError."""
        ledger = self.ledger()
        while True:
            try:
                return query(ledger)
            except DamagedError:
                previous, ledger = ledger, self.ledger()
                if ledger == previous:
                    raise

    def load(self, file: DataFile) -> bytes:
        """A file's bytes; their SHA-256 is checked once per size and mtime. Raises DamagedError."""
        path = self.folder / file.name
        with _damage(path):
            state = path.stat()
            data = path.read_bytes()
        version = (file.name, state.st_size, state.st_mtime_ns)
        if version not in self._intact:
            if hashlib.sha256(data).hexdigest() != file.sha256:
                raise DamagedError(path, _("its SHA-256 is not the recorded one"))
            self._intact.add(version)
        return data

    def check_size(self, file: DataFile) -> None:
        """Raise DamagedError unless the file exists in its recorded size. Cheap: nothing is read or hashed."""
        path = self.folder / file.name
        with _damage(path):
            state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise DamagedError(path, _("not a file"))
        if state.st_size != file.size:
            problem = _("{size} bytes instead of {recorded}", size=state.st_size, recorded=file.size)
            raise DamagedError(path, problem)

    def candles(self, ledger: Ledger, span: Span) -> pl.DataFrame:
        """The candles held inside `span`: candles.SCHEMA, ascending, unique. Raises DamagedError."""
        whole = pl.concat([self._frame(file) for file in ledger.touching(span)] or [empty()])
        start, stop = np.searchsorted(whole["ts"].to_numpy(), span)
        return whole.slice(int(start), max(0, int(stop - start)))

    def _frame(self, file: DataFile) -> pl.DataFrame:
        frame = pl.read_parquet(self.load(file))
        # Before 2026-11-27 the column was called origin.
        return frame.rename({"origin": "provenance"}, strict=False).select(SCHEMA.names())

    # ── writing, under the series' lock

    def open(self) -> tuple[Ledger, list[Path]]:
        """Remove leftovers and set damaged files aside. Returns the ledger and the former paths of the damaged files."""
        lost: list[Path] = []
        try:
            ledger = self.ledger()
        except DamagedError as error:
            lost.append(self._set_aside(error))
            ledger = Ledger()
            for path in self.folder.glob("*.parquet"):
                self._move(path)
        for file in ledger.files:
            try:
                self.load(file)
            except DamagedError as error:
                lost.append(self._set_aside(error))
                ledger = self._save(ledger.forgetting(file))
        self._sweep(ledger)
        return ledger, lost

    def absorb(
        self, ledger: Ledger, span: Span, frames: Sequence[pl.DataFrame], *, oldest: bool, again: bool
    ) -> Ledger:
        """Store the venue's response: `frames`, in the order of arrival, hold all its candles inside `span`.

        `oldest`: the venue has nothing before `span`. `again`: this was the second request, so empty spans are the
        venue's own gaps. New candles replace stored ones; revisions are logged. Raises DiskError.
        """
        touched = ledger.touching(span)
        new = whole = _latest(frames)
        if touched:
            old = pl.concat(map(self._frame, touched))
            whole = _latest([old, new])
            _log_revised(self.folder, old, new)
        answered = ledger.answered(span, empty_spans(whole["ts"].to_numpy(), span, self.bar), again=again)
        if oldest:
            answered = answered._replace(listing=_listing(ledger, span, new))
        if new.is_empty():
            return self._save(answered.tidy())
        return self._put(answered, span, whole, touched)

    def compact(self, ledger: Ledger) -> Ledger:
        """Merge neighbouring small files. Raises DamagedError, DiskError."""
        for group in _mergeable(ledger):
            frame = pl.concat(map(self._frame, group))
            ledger = self._put(ledger, Span(group[0].span.start, group[-1].span.stop), frame, group)
        return ledger

    def _put(self, ledger: Ledger, span: Span, frame: pl.DataFrame, old: list[DataFile]) -> Ledger:
        """Replace `old` by one new file for `span`: write it, name it in the manifest, then remove `old`."""
        if not ledger.files:
            self._save(Ledger())  # a folder with data always has a manifest, so a missing one is noticed
        file = self._write(self._claim(ledger, span, frame, old), frame)
        ledger = self._save(ledger.replacing(old, file).tidy())
        for path in {self.folder / other.name for other in old} - {self.folder / file.name}:
            path.unlink(missing_ok=True)
        return ledger

    def _claim(self, ledger: Ledger, span: Span, frame: pl.DataFrame, old: list[DataFile]) -> Span:
        start = min([span.start, *(file.span.start for file in old)])
        if ledger.listing is not None:
            start = max(start, min(ledger.listing, int(frame["ts"][0])))
        stop = max([span.stop, *(file.span.stop for file in old)])
        if not any(file.span.start >= stop for file in ledger.files):
            stop = int(frame["ts"][-1]) + self.bar.length  # the venue may still publish bars after the newest candle
        return Span(start, stop)

    def _write(self, span: Span, frame: pl.DataFrame) -> DataFile:
        buffer = io.BytesIO()
        # lz4: read half as fast as uncompressed, at two thirds of its size; still faster than SHA-256 twice over.
        frame.write_parquet(buffer, compression="lz4")
        data = buffer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        name = f"{_digits(span.start)}-{_digits(span.stop)}-{digest[:12]}.parquet"
        write_atomic(self.folder / name, data)
        return DataFile(name, span, int(frame["ts"][0]), int(frame["ts"][-1]), frame.height, len(data), digest)

    def _save(self, ledger: Ledger) -> Ledger:
        write_atomic(self.folder / MANIFEST, ledger.dump())
        return ledger

    def _set_aside(self, error: DamagedError) -> Path:
        notice = _(
            "{path} is damaged ({problem}); moved to {folder}/, its candles are downloaded again",
            path=error.path,
            problem=error.problem,
            folder=CORRUPT,
        )
        print(notice, file=sys.stderr, flush=True)
        self._move(error.path)
        return error.path

    def _move(self, path: Path) -> None:
        aside = self.folder / CORRUPT
        with write_errors(path):
            aside.mkdir(exist_ok=True)
            target = aside / path.name
            if path.is_dir() or target.is_dir():  # a rename cannot put one over the other
                target = aside / f"{path.name}.{time.time_ns()}"
            with suppress(FileNotFoundError):
                path.replace(target)
            sync_folder(self.folder)

    def _sweep(self, ledger: Ledger) -> None:
        """Remove what a killed process left: partly written files, and data files that the manifest does not name."""
        named = {file.name for file in ledger.files}
        for pattern in ("*.parquet", ".*.parquet.*", f".{MANIFEST}.*"):
            for path in self.folder.glob(pattern):
                if path.name not in named and (path.is_symlink() or not path.is_dir()):
                    log.debug("sweeping %s", path)
                    with write_errors(path):
                        path.unlink(missing_ok=True)


def empty_spans(times: np.ndarray, span: Span, bar: Bar) -> list[Span]:
    """Where inside `span`, which lies on the grid, no bar of `times` (ascending) opens."""
    inside = times[np.searchsorted(times, span.start) : np.searchsorted(times, span.stop)]
    edges = np.concatenate([[span.start - bar.length], inside, [span.stop]])
    wide = np.flatnonzero(np.diff(edges) > bar.length)
    return [Span(int(edges[i]) + bar.length, int(edges[i + 1])) for i in wide]


def _latest(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """`frames` merged, ascending; the last frame wins where several hold a bar."""
    return pl.concat(frames).unique("ts", keep="last").sort("ts")


def _log_revised(folder: Path, old: pl.DataFrame, new: pl.DataFrame) -> None:
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_new")) for name in FEATURES)
    revised = old.join(new, on="ts", suffix="_new").filter(differs)
    if revised.height:
        log.warning("%s: the venue revised %d finished candles, first at %d", folder, revised.height, revised["ts"][0])


def _listing(ledger: Ledger, span: Span, new: pl.DataFrame) -> int | None:
    """The first candle ever, where the venue has nothing before `span` and returned `new` inside it."""
    if new.height:
        return int(new["ts"][0])
    # An empty response at the newest end proves nothing: the first candle may be unfinished.
    return span.stop if any(file.span.start >= span.stop for file in ledger.files) else ledger.listing


def _mergeable(ledger: Ledger) -> list[list[DataFile]]:
    """Groups of neighbouring files that fit into one file, with nothing missing between them."""
    groups: list[list[DataFile]] = []
    for file in ledger.files:
        group = groups[-1] if groups else []
        fits = sum(p.rows for p in group) + file.rows <= MAX_ROWS
        if group and fits and not ledger.missing(Span(group[-1].span.stop, file.span.start)):
            group.append(file)
        else:
            groups.append([file])
    return [group for group in groups if len(group) > 1]


def _digits(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).strftime("%Y%m%dT%H%M%S")
