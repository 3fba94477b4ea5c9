"""Is a dataset what its summary says, and does no bar of one split reach another? Reads everything, trusts nothing."""

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronosforge.config import ALWAYS_OPEN, CleanConfig
from kronosforge.core.bars import instant, iso, series
from kronosforge.core.candles import FEATURES
from kronosforge.core.errors import DataError
from kronosforge.core.files import sha256
from kronosforge.core.i18n import _
from kronosforge.dataset.handover import DATASET_FILES, PICKLES, SCHEMA
from kronosforge.dataset.native import NativeSplit, open_split
from kronosforge.dataset.normalize import normalize
from kronosforge.dataset.pickles import INDEX
from kronosforge.dataset.unpickle import load
from kronosforge.split import SPLITS, Cuts, count, starts
from kronosforge.workspace.paths import MANIFEST, NATIVE

SAMPLE = 64  # windows of each split whose future is changed, to see that the lookback stays


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


class Frame(NamedTuple):
    """What is kept of one frame once it was looked at."""

    rows: int
    first: int  # open times, ms
    last: int
    steps: tuple[int, int]  # shortest and longest distance between two neighbours, ms
    problems: list[str]


Frames = Mapping[str, Mapping[str, Frame]]  # split → key → frame


class Said(NamedTuple):
    """What the summary says."""

    place: str  # the dataset's folder, from the workspace's root
    files: dict[str, str]  # name → SHA-256
    cuts: Cuts
    window: int
    lookback: int
    clip: float
    windows: dict[str, int]  # split → n
    series: dict[str, dict[str, int]]  # series key → split → windows
    lengths: dict[str, int]  # series key → ms
    sessions: set[str]  # keys of the series whose bars need not follow at a constant step


def _read(path: Path) -> Said:
    """Raises DataError for a summary that is missing, broken or of another layout."""
    try:
        return _parse(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        found = f"{type(error).__name__}: {error}"
        raise DataError(
            _(
                "{path} is no summary of a dataset that this version knows ({value}); prepare the dataset again",
                path=path,
                value=found,
            )
        ) from None


def _parse(summary: Any) -> Said:
    if summary["schema"] != SCHEMA:
        raise ValueError(f"schema {summary['schema']}")
    clean = CleanConfig(calendar=summary["config"]["clean"]["calendar"])
    return Said(
        place=summary["output_directory"],
        files={file["filename"]: file["sha256"] for file in summary["files"]},
        cuts=Cuts(**{name: instant(time) for name, time in summary["cuts"].items()}),
        window=int(summary["window"]["bars"]),
        lookback=int(summary["window"]["lookback"]),
        clip=float(summary["config"]["dataset"]["clip"]),
        windows={split: int(summary["windows"][split]) for split in SPLITS},
        series={key: {s: int(facts["windows"][s]) for s in SPLITS} for key, facts in summary["series"].items()},
        lengths={key: series(key).bar.length for key in summary["series"]},
        sessions={key for key in summary["series"] if clean.calendar_of(series(key)) != ALWAYS_OPEN},
    )


def verify(folder: Path) -> list[Check]:
    """Check the dataset in `folder` against its summary. One series is in memory at a time; nothing is written.

    Of the copy that Kronos reads, the pickles must be the dataset's, byte for byte; what is in them is proved there.
    """
    try:
        said = _read(folder / MANIFEST)
    except DataError as error:
        return [Check("summary", False, str(error))]
    summary = Check("summary", True, _("{count} series", count=len(said.series)))
    if not folder.resolve().as_posix().endswith(said.place) and not (folder / NATIVE).exists():
        pickles = said._replace(files={name: said.files[name] for name in PICKLES})
        of = _("the copy of {place} that Kronos reads", place=said.place)
        return [summary, _check("files", _files(folder, pickles), of)]
    checks = [
        summary,
        _check("files", _files(folder, said), _("{count} files", count=len(said.files))),
    ]
    frames: dict[str, dict[str, Frame]] = {}
    arrays: dict[str, NativeSplit] = {}
    for split in SPLITS:
        try:
            arrays[split] = open_split(folder, split)
            frames[split] = _frames(folder / f"{split}_data.pkl", arrays[split], said)
        except DataError as error:
            checks.append(Check(split, False, str(error)))
        else:
            bars = sum(frame.rows for frame in frames[split].values())
            checks.append(_check(split, _faults(frames[split], said), _("{bars} bars", bars=bars)))
    if len(frames) < len(SPLITS):
        return checks
    total = sum(said.windows.values())
    return [
        *checks,
        _check("windows", _windows(frames, said), _("{total} windows", total=total)),
        _check("leaks", _leaks(frames, said), _("no bar is in two splits")),
        _check("normalisation", _moved(arrays, said), _("sees the lookback only")),
    ]


def _check(name: str, problems: list[str], good: str) -> Check:
    more = _(" … and {count} more", count=len(problems) - 3) if len(problems) > 3 else ""
    return Check(name, not problems, "; ".join(problems[:3]) + more if problems else good)


def _files(folder: Path, said: Said) -> list[str]:
    """Names that are missing, unlisted, or whose bytes are not those of the summary. Nothing outside `folder` is read."""
    paths = [path for name in DATASET_FILES for path in (folder / name, *(folder / name).rglob("*")) if path.is_file()]
    present = {path.relative_to(folder).as_posix(): path for path in paths}
    return [
        *(_("{name} is missing", name=name) for name in sorted(said.files.keys() - present.keys())),
        *(_("{name} is not in the summary", name=name) for name in sorted(present.keys() - said.files.keys())),
        *(
            _("{name} was changed after it was written", name=name)
            for name in sorted(present.keys() & said.files.keys())
            if sha256(present[name]) != said.files[name]
        ),
    ]


def _frames(path: Path, arrays: NativeSplit, said: Said) -> dict[str, Frame]:
    """Look at every frame of a pickle beside its native rows. Raises DataError where the two do not have the same keys."""
    frames: dict[str, Frame] = load(path, _looking(arrays))
    if list(frames) != [run.key for run in arrays.runs] or not {_series(key) for key in frames} <= said.series.keys():
        raise DataError(
            _("{path} holds other keys than native/index.json and the summary; prepare the dataset again", path=path)
        )
    return frames


def _looking(arrays: NativeSplit) -> Callable[..., Frame]:
    """A stand-in for DataFrame that looks at the frames in file order, and lets each go."""
    runs = iter(arrays.runs)

    def look(columns: Any, index: Any) -> Frame:
        frame = pd.DataFrame(columns, index)
        problems = _form(frame)
        if problems or frame.empty:
            return Frame(0, 0, 0, (0, 0), problems or ["no rows"])
        times = frame.index.as_unit("ns").asi8 // 1_000_000
        run = next(runs, None)
        rows = slice(run.offset, run.offset + run.length) if run else slice(0)
        values = frame.to_numpy()
        problems = _values(values) + _twins(times, values, arrays.time[rows], arrays.candles[rows])
        steps = np.diff(times) if len(times) > 1 else np.zeros(1, np.int64)
        return Frame(len(times), int(times[0]), int(times[-1]), (int(steps.min()), int(steps.max())), problems)

    return look


def _form(frame: Any) -> list[str]:
    """What of a frame is not as upstream's trainer wants it."""
    if not isinstance(frame.index, pd.DatetimeIndex) or frame.index.tz is not None or frame.index.name != INDEX:
        return [_("the index is not a DatetimeIndex named {index}", index=INDEX)]
    if list(frame.columns) != FEATURES or any(dtype != np.float64 for dtype in frame.dtypes):
        return [_("columns are not float64 {features}", features=FEATURES)]
    return []


def _values(values: npt.NDArray[np.float64]) -> list[str]:
    """What of (N, 6) candles cannot be."""
    opened, high, low, close = values[:, :4].T
    tests = {
        _("values that are not finite"): ~np.isfinite(values).all(axis=1),
        _("prices that are not positive"): (values[:, :4] <= 0).any(axis=1),
        _("high or low inside the body"): (high < np.maximum(opened, close)) | (low > np.minimum(opened, close)),
        _("negative volume or turnover"): (values[:, 4:] < 0).any(axis=1),
    }
    return [f"{name}: {int(bad.sum())}" for name, bad in tests.items() if bad.any()]


def _twins(times: Any, values: Any, native_times: Any, native_values: Any) -> list[str]:
    same = np.array_equal(times, native_times) and np.array_equal(
        values.astype(np.float32), native_values, equal_nan=True
    )
    return [] if same else [_("native/ holds other values than the pickle")]


def _faults(frames: Mapping[str, Frame], said: Said) -> list[str]:
    """Problems of each frame, and steps that are not the bar's."""
    problems = [f"{key}: {problem}" for key, frame in frames.items() for problem in frame.problems]
    for key, frame in frames.items():
        length = said.lengths[_series(key)]
        low, high = frame.steps
        if frame.rows > 1 and (low < length or (high != length and _series(key) not in said.sessions)):
            problems.append(_("{key}: bars do not follow each other", key=key))
    return problems


def _windows(frames: Frames, said: Said) -> list[str]:
    """Where the summary's counts are not those of the frames."""
    problems = []
    for split in SPLITS:
        for key, windows in said.series.items():
            rows = [frame.rows for name, frame in frames[split].items() if _series(name) == key]
            if (found := count(rows, said.window)) != windows[split]:
                problems.append(f"{key} {split}: {found} ≠ {windows[split]}")
        found = count((frame.rows for frame in frames[split].values()), said.window)
        if found != said.windows[split]:
            problems.append(f"{split}: {found} ≠ {said.windows[split]}")
    return problems


def _leaks(frames: Frames, said: Said) -> list[str]:
    """Frames that reach out of their split, and bars of a series that stand twice."""
    problems = []
    stretches: dict[str, list[tuple[int, int]]] = {}
    for split, span in said.cuts.spans.items():
        for key, frame in frames[split].items():
            stop = frame.last + said.lengths[_series(key)]
            stretches.setdefault(_series(key), []).append((frame.first, stop))
            if frame.first < span.start or stop > span.stop:
                problems.append(f"{key}: {iso(frame.first)} → {iso(stop)} ⊄ {split}")
    for key, spans in stretches.items():
        ordered = sorted(spans)
        if any(later[0] < earlier[1] for earlier, later in pairwise(ordered)):
            problems.append(_("{key}: bars stand twice", key=key))
    return problems


def _moved(arrays: Mapping[str, NativeSplit], said: Said) -> list[str]:
    """Splits in which another future changes the normalised lookback."""
    problems = []
    for split, (candles, _times, runs) in arrays.items():
        first = starts(((run.offset, run.length) for run in runs), said.window)
        chosen = first[:: max(1, len(first) // SAMPLE)]
        windows = candles[chosen[:, None] + np.arange(said.window)]  # (n, window, 6)
        other = windows.copy()
        other[:, said.lookback :] *= 1.5
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is told of elsewhere
            before, after = (normalize(w, said.lookback, said.clip)[:, : said.lookback] for w in (windows, other))
        if not np.array_equal(before, after, equal_nan=True):
            problems.append(_("{split}: the future moves the lookback", split=split))
    return problems


def _series(key: str) -> str:
    return key.partition("#")[0]
