"""Training windows: lookback + predict + 1 consecutive bars of one series, inside one split and one segment."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from kronosforge.config import SplitConfig
from kronosforge.core.bars import Series, Span
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import Message, MessageList, _
from kronosforge.split.cuts import SPLITS, Timeline, cut, fold_cuts

Windows: TypeAlias = Mapping[str, int]  # split → windows

NO_ADVICE: Mapping[Series, Message] = {}
MAX_RECORDS = 50_000_000  # the largest `records_per_timeframe` of a config


def count(lengths: Iterable[int], window: int) -> int:
    """The number of windows of `window` bars in segments of `lengths` bars."""
    return sum(max(0, length - window + 1) for length in lengths)


def starts(segments: Iterable[tuple[int, int]], window: int) -> npt.NDArray[np.int64]:
    """The rows at which a window may start, ascending, for `segments` of (offset, length) rows in one array."""
    rows = [np.arange(offset, offset + length - window + 1, dtype=np.int64) for offset, length in segments]
    return np.concatenate(rows) if rows else np.empty(0, np.int64)


def expected_windows(
    timelines: Mapping[Series, Timeline], settings: SplitConfig, window: int
) -> dict[Series, dict[str, int]]:
    """Split → windows of each series, if its bars are one segment: a calendar's pauses are no gaps.

    Raises DataError if there are no bars.
    """
    spans = cut(Timeline.join(timelines.values()), settings).spans
    return {
        series: {split: count([int(timeline.bars_inside(span).sum())], window) for split, span in spans.items()}
        for series, timeline in timelines.items()
    }


def total(windows: Iterable[Windows]) -> dict[str, int]:
    """Split → windows of all series."""
    counts = list(windows)
    return {split: sum(count[split] for count in counts) for split in SPLITS}


def records_needed(series: Iterable[Series], settings: SplitConfig, window: int, folds: int = 1) -> int:
    """The smallest number of newest bars per series, without gaps, with `min_windows` in every split of every fold."""
    all_series = list(series)

    def enough(records: int) -> bool:
        spans = ((s, Span(s.bar.floor(0) - records * s.bar.length, s.bar.floor(0))) for s in all_series)
        timeline = Timeline.join(Timeline.full(s.bar, span) for s, span in spans)
        splits = (span for cuts in fold_cuts(timeline, settings, folds) for span in cuts.spans.values())
        return all(count(timeline.bars_inside(span).tolist(), window) >= settings.min_windows for span in splits)

    high = window
    while high < MAX_RECORDS and not enough(high):
        high *= 2
    low = high // 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def check_windows(
    windows: Mapping[Series, Windows], settings: SplitConfig, window: int, advice: Mapping[Series, Message] = NO_ADVICE
) -> list[Message]:
    """Warnings, one sentence each: splits with few windows, and series without a window in some split.

    `advice` explains why some series have few windows where more records would not help; each text is also a warning.
    Raises DataError if a split of the model has fewer than `settings.min_windows`: upstream's trainer would report a
    perfect validation loss of 0.
    """
    counts, causes = total(windows.values()), list(dict.fromkeys(advice.values()))
    if min(counts.values()) < settings.min_windows:
        raise _too_few(counts, causes or [_use_more(records_needed(windows, settings, window))], settings, window)
    thin = [_thin(split, n, settings) for split, n in counts.items() if n < settings.thin_windows]
    without = [
        Message(
            "{series} has no window of {window} bars in {missing}: too few bars, or gaps between them",
            series=series,
            window=window,
            missing=", ".join(missing),
        )
        for series, splits in windows.items()
        if series not in advice and (missing := [split for split in SPLITS if not splits[split]])
    ]
    return causes + thin + without


def check_folds(
    windows: Callable[[int], Sequence[Windows]],
    folds: int,
    series: Iterable[Series],
    settings: SplitConfig,
    window: int,
) -> None:
    """Raise DataError if one of `folds` has a split of fewer than `settings.min_windows`.

    `windows(k)` returns the windows of each of k folds. The message says how many folds fit, and how many records
    `folds` folds need.
    """
    too_few = _first_too_few(windows(folds), settings)
    if too_few is None:
        return
    number, counts = too_few
    most = next((k for k in range(folds - 1, 1, -1) if _first_too_few(windows(k), settings) is None), 0)
    raise DataError(
        _(
            "Fold {number} of {folds} has too few windows of {window} bars: {counts}, and each split needs at least "
            "{least}; {most} into this history, and {folds} folds need about {needed} records per series (more if there "
            "are gaps): prepare more records, or use fewer folds",
            number=number,
            folds=folds,
            window=window,
            counts=_listed(counts),
            least=settings.min_windows,
            most=Message("at most {most} folds fit", most=most) if most else Message("no folds fit"),
            needed=records_needed(series, settings, window, folds),
        )
    )


def _first_too_few(folds: Sequence[Windows], settings: SplitConfig) -> tuple[int, Windows] | None:
    """The number and the windows of the first fold that has too few windows in a split."""
    return next(((n, counts) for n, counts in enumerate(folds, 1) if min(counts.values()) < settings.min_windows), None)


def _too_few(windows: Windows, advice: Sequence[Message], settings: SplitConfig, window: int) -> DataError:
    return DataError(
        _(
            "Too few windows of {window} bars: {counts}, and each split needs at least {least}; {advice}",
            window=window,
            counts=_listed(windows),
            least=settings.min_windows,
            advice=MessageList(advice, "; "),
        )
    )


def _listed(windows: Windows) -> str:
    return ", ".join(f"{split} {n}" for split, n in windows.items())


def _use_more(records: int) -> Message:
    return Message(
        "use about {records} records per series (more if there are gaps), or shorten lookback or predict",
        records=records,
    )


def _thin(split: str, windows: int, settings: SplitConfig) -> Message:
    return Message(
        "{split} has only {windows} windows, fewer than {thin_windows}: figures measured on it will be noisy",
        split=split,
        windows=windows,
        thin_windows=settings.thin_windows,
    )
