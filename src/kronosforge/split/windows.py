"""Training windows: lookback + predict + 1 consecutive bars of one series, inside one split and one segment."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from kronosforge.config import SplitConfig
from kronosforge.core.bars import Series, Span
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import Message, MessageList, _
from kronosforge.split.cuts import SPLITS, Cuts, Runs, cut, fold_cuts

Windows: TypeAlias = Mapping[str, int]  # split → windows

NO_ADVICE: Mapping[Series, Message] = {}
MOST_RECORDS = 50_000_000  # what a config may ask for


def count(lengths: Iterable[int], window: int) -> int:
    """How many windows of `window` bars stand in runs of `lengths` bars."""
    return sum(max(0, length - window + 1) for length in lengths)


def starts(runs: Iterable[tuple[int, int]], window: int) -> npt.NDArray[np.int64]:
    """The rows at which a window may start, ascending, for `runs` of (offset, length) rows in one array."""
    legal = [np.arange(offset, offset + length - window + 1, dtype=np.int64) for offset, length in runs]
    return np.concatenate(legal) if legal else np.empty(0, np.int64)


def expected(runs: Mapping[Series, Runs], rules: SplitConfig, window: int) -> dict[Series, dict[str, int]]:
    """Split → windows of each series, whose runs are one segment: only its market's pauses lie between them.

    Raises DataError where there is no bar.
    """
    spans = cut(Runs.join(runs.values()), rules).spans
    return {
        series: {split: count([int(own.inside(span).sum())], window) for split, span in spans.items()}
        for series, own in runs.items()
    }


def _inside(runs: Runs, at: Cuts, window: int) -> dict[str, npt.NDArray[np.int64]]:
    """Split → windows of each run (n,)."""
    return {split: np.maximum(runs.inside(span) - window + 1, 0) for split, span in at.spans.items()}


def total(windows: Iterable[Windows]) -> dict[str, int]:
    """Split → windows of all series."""
    counts = list(windows)
    return {split: sum(count[split] for count in counts) for split in SPLITS}


def records_needed(series: Iterable[Series], rules: SplitConfig, window: int, folds: int = 1) -> int:
    """The fewest newest bars per series, without gaps, that give every split of every fold `min_windows`."""
    wanted = list(series)

    def enough(records: int) -> bool:
        spans = ((s, Span(s.bar.floor(0) - records * s.bar.length, s.bar.floor(0))) for s in wanted)
        runs = Runs.join(Runs.full(s.bar, span) for s, span in spans)
        inside = (_inside(runs, at, window).values() for at in fold_cuts(runs, rules, folds))
        return min(int(n.sum()) for splits in inside for n in splits) >= rules.min_windows

    high = window
    while high < MOST_RECORDS and not enough(high):
        high *= 2
    low = high // 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def check_windows(
    windows: Mapping[Series, Windows], rules: SplitConfig, window: int, advice: Mapping[Series, Message] = NO_ADVICE
) -> list[Message]:
    """Warnings, one sentence each: splits with few windows, and series without a window in some split.

    `advice` says of some series why they have few windows, where more records would not help: it is a warning, too.
    Raises DataError where a split of the model has fewer than `rules.min_windows`: what upstream's trainer takes for a
    perfect validation loss of 0.
    """
    have, causes = total(windows.values()), list(dict.fromkeys(advice.values()))
    if min(have.values()) < rules.min_windows:
        raise _too_few(have, causes or [_ask_for(records_needed(windows, rules, window))], rules, window)
    thin = [_thin(split, n, rules) for split, n in have.items() if n < rules.thin_windows]
    return (
        causes
        + thin
        + [
            Message(
                "{series} has no window of {window} bars in {missing}: it has too few bars there, or gaps between them",
                series=series,
                window=window,
                missing=", ".join(missing),
            )
            for series, splits in windows.items()
            if series not in advice and (missing := [split for split in SPLITS if not splits[split]])
        ]
    )


def check_folds(
    windows: Callable[[int], Sequence[Windows]], folds: int, series: Iterable[Series], rules: SplitConfig, window: int
) -> None:
    """Raise DataError where one of `folds` has a split of fewer than `rules.min_windows`; `windows(k)` are those of each
    of k folds. The message says how many folds fit, and how many records `folds` need."""
    short = _short(windows(folds), rules)
    if short is None:
        return
    number, fewest = short
    most = next((k for k in range(folds - 1, 1, -1) if _short(windows(k), rules) is None), 0)
    have = ", ".join(f"{split} {n}" for split, n in fewest.items())
    needed = records_needed(series, rules, window, folds)
    raise DataError(
        _(
            "fold {number} of {folds} has too few windows of {window} bars: {have}, and each split needs at least {least}; "
            "{most} into this history; {folds} need about {needed} records per series (more where there are gaps): prepare "
            "them, or ask for fewer",
            number=number,
            folds=folds,
            window=window,
            have=have,
            least=rules.min_windows,
            most=Message("at most {most} folds fit", most=most) if most else Message("no folds fit"),
            needed=needed,
        )
    )


def _short(folds: Sequence[Windows], rules: SplitConfig) -> tuple[int, Windows] | None:
    """The first fold that has too few windows in a split, and its number."""
    return next(((n, counts) for n, counts in enumerate(folds, 1) if min(counts.values()) < rules.min_windows), None)


def _too_few(windows: Windows, advice: Sequence[Message], rules: SplitConfig, window: int) -> DataError:
    have = ", ".join(f"{split} {n}" for split, n in windows.items())
    return DataError(
        _(
            "too few windows of {window} bars: {have}, and each split needs at least {least}; {advice}",
            window=window,
            have=have,
            least=rules.min_windows,
            advice=MessageList(advice, "; "),
        )
    )


def _ask_for(records: int) -> Message:
    return Message(
        "ask for about {records} records per series (more where there are gaps), or shorten lookback or predict",
        records=records,
    )


def _thin(split: str, windows: int, rules: SplitConfig) -> Message:
    return Message(
        "{split} has only {windows} windows, fewer than {thin_windows}: what is measured on it will be noisy",
        split=split,
        windows=windows,
        thin_windows=rules.thin_windows,
    )
