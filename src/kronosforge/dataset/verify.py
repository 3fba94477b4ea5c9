"""Check that a dataset matches its summary and that no bar of one split reaches another. Reads every file in full."""

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronosforge.config import ALWAYS_OPEN, CleanConfig
from kronosforge.core.bars import Span, instant, iso, series
from kronosforge.core.candles import FEATURES
from kronosforge.core.digests import sha256
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _
from kronosforge.dataset.manifest import SCHEMA, Manifest
from kronosforge.dataset.native import NativeSplit, open_split, series_key
from kronosforge.dataset.normalize import normalize
from kronosforge.dataset.pickles import INDEX
from kronosforge.dataset.unpickle import load
from kronosforge.split import SPLITS, Cuts, count, starts
from kronosforge.workspace.paths import DATASET_FILES, MANIFEST, NATIVE, PICKLES, pickle_name

SAMPLE = 64  # windows of each split whose future is changed to check that the lookback stays the same


class Check(NamedTuple):
    """The result of one check."""

    name: str
    ok: bool
    detail: str


class Frame(NamedTuple):
    """What later checks need of one frame."""

    rows: int
    first: int  # open times, ms
    last: int
    steps: tuple[int, int]  # shortest and longest distance between two neighbours, ms
    problems: list[str]


Frames = Mapping[str, Mapping[str, Frame]]  # split → key → frame


class Summary(NamedTuple):
    """What the summary records."""

    folder: str  # of the dataset, relative to the workspace's root
    files: dict[str, str]  # name → SHA-256
    cuts: Cuts
    window: int
    lookback: int
    clip: float
    windows: dict[str, int]  # split → n
    series: dict[str, dict[str, int]]  # series key → split → windows
    lengths: dict[str, int]  # series key → ms
    sessions: set[str]  # keys of the series whose bars may follow at varying steps


def _read(path: Path) -> Summary:
    """Raises DataError for a summary that is missing, broken or of another layout."""
    try:
        return _parse(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            _(
                "{path} is not a dataset summary that this version can read ({value}); prepare the dataset again",
                path=path,
                value=f"{type(error).__name__}: {error}",
            )
        ) from None


def _parse(content: Any) -> Summary:
    content = Manifest.current(content)
    if content["schema"] != SCHEMA:
        raise ValueError(f"schema {content['schema']}")
    clean = CleanConfig(calendar=content["config"]["clean"]["calendar"])
    return Summary(
        folder=content["output_directory"],
        files={file["filename"]: file["sha256"] for file in content["files"]},
        cuts=Cuts(**{name: instant(time) for name, time in content["cuts"].items()}),
        window=int(content["window"]["bars"]),
        lookback=int(content["window"]["lookback"]),
        clip=float(content["config"]["dataset"]["clip"]),
        windows={split: int(content["windows"][split]) for split in SPLITS},
        series={
            key: {split: int(part["windows"][split]) for split in SPLITS} for key, part in content["series"].items()
        },
        lengths={key: series(key).bar.length for key in content["series"]},
        sessions={key for key in content["series"] if clean.calendar_of(series(key)) != ALWAYS_OPEN},
    )


def verify(folder: Path) -> list[Check]:
    """Check the dataset in `folder` against its summary. One series is in memory at a time; nothing is written.

    In the copy that Kronos reads, only the pickles are checked, byte for byte; the dataset itself has all other checks.
    """
    try:
        summary = _read(folder / MANIFEST)
    except DataError as error:
        return [Check("summary", False, str(error))]
    checks = [Check("summary", True, _("{count} series", count=len(summary.series)))]
    if not folder.resolve().as_posix().endswith(summary.folder) and not (folder / NATIVE).exists():
        pickles = summary._replace(files={name: summary.files[name] for name in PICKLES})
        copy = _("the copy of {place} that Kronos reads", place=summary.folder)
        return [*checks, _check("files", _files(folder, pickles), copy)]
    checks.append(_check("files", _files(folder, summary), _("{count} files", count=len(summary.files))))
    frames: dict[str, dict[str, Frame]] = {}
    arrays: dict[str, NativeSplit] = {}
    for split in SPLITS:
        try:
            arrays[split] = open_split(folder, split)
            frames[split] = _frames(folder / pickle_name(split), arrays[split], summary)
        except DataError as error:
            checks.append(Check(split, False, str(error)))
        else:
            bars = sum(frame.rows for frame in frames[split].values())
            checks.append(_check(split, _faults(frames[split], summary), _("{bars} bars", bars=bars)))
    if len(frames) < len(SPLITS):
        return checks
    total = sum(summary.windows.values())
    return [
        *checks,
        _check("windows", _windows(frames, summary), _("{total} windows", total=total)),
        _check("leaks", _leaks(frames, summary), _("no bar is in two splits")),
        _check("normalisation", _normalisation(arrays, summary), _("uses the lookback only")),
    ]


def _check(name: str, problems: list[str], passed: str) -> Check:
    rest = _(" … and {count} more", count=len(problems) - 3) if len(problems) > 3 else ""
    return Check(name, not problems, "; ".join(problems[:3]) + rest if problems else passed)


def _files(folder: Path, summary: Summary) -> list[str]:
    """The files that are missing, unlisted or changed. Reads nothing outside `folder`."""
    paths = [path for name in DATASET_FILES for path in (folder / name, *(folder / name).rglob("*")) if path.is_file()]
    present = {path.relative_to(folder).as_posix(): path for path in paths}
    return [
        *(_("{name} is missing", name=name) for name in sorted(summary.files.keys() - present.keys())),
        *(_("{name} is not in the summary", name=name) for name in sorted(present.keys() - summary.files.keys())),
        *(
            _("{name} was changed after it was written", name=name)
            for name in sorted(present.keys() & summary.files.keys())
            if sha256(present[name]) != summary.files[name]
        ),
    ]


def _frames(path: Path, arrays: NativeSplit, summary: Summary) -> dict[str, Frame]:
    """Compare every frame of a pickle with its native rows. Raises DataError if the two do not have the same keys."""
    frames: dict[str, Frame] = load(path, _frame_checker(arrays))
    recorded = {series_key(key) for key in frames} <= summary.series.keys()
    if list(frames) != [segment.key for segment in arrays.segments] or not recorded:
        raise DataError(
            _("{path} has other keys than native/index.json and the summary; prepare the dataset again", path=path)
        )
    return frames


def _frame_checker(arrays: NativeSplit) -> Callable[..., Frame]:
    """A replacement for DataFrame that checks each frame, in file order, and keeps only the result."""
    segments = iter(arrays.segments)

    def check(columns: Any, index: Any) -> Frame:
        frame = pd.DataFrame(columns, index)
        problems = _form(frame)
        if problems or frame.empty:
            return Frame(0, 0, 0, (0, 0), problems or ["no rows"])
        times = frame.index.as_unit("ns").asi8 // 1_000_000
        segment = next(segments, None)
        rows = segment.rows if segment else slice(0)
        values = frame.to_numpy()
        problems = _values(values) + _differences(times, values, arrays.time[rows], arrays.candles[rows])
        steps = np.diff(times) if len(times) > 1 else np.zeros(1, np.int64)
        return Frame(len(times), int(times[0]), int(times[-1]), (int(steps.min()), int(steps.max())), problems)

    return check


def _form(frame: Any) -> list[str]:
    """How the form of a frame differs from what upstream's trainer needs."""
    if not isinstance(frame.index, pd.DatetimeIndex) or frame.index.tz is not None or frame.index.name != INDEX:
        return [_("the index is not a DatetimeIndex named {index}", index=INDEX)]
    if list(frame.columns) != FEATURES or any(dtype != np.float64 for dtype in frame.dtypes):
        return [_("columns are not float64 {features}", features=FEATURES)]
    return []


def _values(values: npt.NDArray[np.float64]) -> list[str]:
    """Impossible values among (N, 6) candles."""
    opened, high, low, close = values[:, :4].T
    tests = {
        _("values that are not finite"): ~np.isfinite(values).all(axis=1),
        _("prices that are not positive"): (values[:, :4] <= 0).any(axis=1),
        _("high or low inside the body"): (high < np.maximum(opened, close)) | (low > np.minimum(opened, close)),
        _("negative volume or turnover"): (values[:, 4:] < 0).any(axis=1),
    }
    return [f"{name}: {int(bad.sum())}" for name, bad in tests.items() if bad.any()]


def _differences(times: Any, values: Any, native_times: Any, native_values: Any) -> list[str]:
    same = np.array_equal(times, native_times) and np.array_equal(
        values.astype(np.float32), native_values, equal_nan=True
    )
    return [] if same else [_("native/ has other values than the pickle")]


def _faults(frames: Mapping[str, Frame], summary: Summary) -> list[str]:
    """Problems of each frame, and frames whose bars do not follow at the length of their bar."""
    problems = [f"{key}: {problem}" for key, frame in frames.items() for problem in frame.problems]
    for key, frame in frames.items():
        series = series_key(key)
        shortest, longest = frame.steps
        length = summary.lengths[series]
        if frame.rows > 1 and (shortest < length or (longest != length and series not in summary.sessions)):
            problems.append(_("{key}: bars do not follow each other", key=key))
    return problems


def _windows(frames: Frames, summary: Summary) -> list[str]:
    """Where the counts of the summary differ from those of the frames."""
    problems = []
    for split in SPLITS:
        lengths: dict[str, list[int]] = {key: [] for key in summary.series}
        for key, frame in frames[split].items():
            lengths[series_key(key)].append(frame.rows)
        counts = {key: count(rows, summary.window) for key, rows in lengths.items()}
        recorded = {key: windows[split] for key, windows in summary.series.items()}
        problems += [f"{key} {split}: {n} ≠ {recorded[key]}" for key, n in counts.items() if n != recorded[key]]
        if sum(counts.values()) != summary.windows[split]:
            problems.append(f"{split}: {sum(counts.values())} ≠ {summary.windows[split]}")
    return problems


def _leaks(frames: Frames, summary: Summary) -> list[str]:
    """Frames that reach beyond their split, and series with overlapping frames."""
    problems = []
    spans_of: dict[str, list[Span]] = {}
    for split, span in summary.cuts.spans.items():
        for key, frame in frames[split].items():
            inside = Span(frame.first, frame.last + summary.lengths[series_key(key)])
            spans_of.setdefault(series_key(key), []).append(inside)
            if inside.start < span.start or inside.stop > span.stop:
                problems.append(f"{key}: {iso(inside.start)} → {iso(inside.stop)} ⊄ {split}")
    for key, spans in spans_of.items():
        if any(later.start < earlier.stop for earlier, later in pairwise(sorted(spans))):
            problems.append(_("{key}: bars occur twice", key=key))
    return problems


def _normalisation(arrays: Mapping[str, NativeSplit], summary: Summary) -> list[str]:
    """Splits in which another future changes the normalised lookback."""
    problems = []
    for split, (candles, _times, segments) in arrays.items():
        first = starts(((segment.offset, segment.length) for segment in segments), summary.window)
        sample = first[:: max(1, len(first) // SAMPLE)]
        windows = candles[sample[:, None] + np.arange(summary.window)]  # (n, window, 6)
        changed = windows.copy()
        changed[:, summary.lookback :] *= 1.5
        with np.errstate(invalid="ignore", over="ignore"):  # another check reports what is not finite
            before, after = (
                normalize(w, summary.lookback, summary.clip)[:, : summary.lookback] for w in (windows, changed)
            )
        if not np.array_equal(before, after, equal_nan=True):
            problems.append(_("{split}: the future changes the normalised lookback", split=split))
    return problems
