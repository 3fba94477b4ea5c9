"""What cleaning found: one record per kind, in a fixed order."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import polars as pl

from kronosforge.core.bars import iso
from kronosforge.core.candles import FEATURES
from kronosforge.core.i18n import Message, _

Action = Literal["dropped", "kept", "cut", "filled", "derived"]

ACTIONS: dict[Action, Message] = {
    "dropped": Message("dropped"),
    "kept": Message("kept"),
    "cut": Message("cut"),
    "filled": Message("filled"),
    "derived": Message("derived"),
}


CHECK_SOURCE = Message("check the source")


class Kind(NamedTuple):
    """One sort of finding: what happens to it, whether it speaks against the series, and how to say it."""

    action: Action
    broken: bool  # counts against `max_bad_share`
    text: Message
    advice: Message = CHECK_SOURCE  # what to do where it is the whole series


_COLUMNS = Message("check which columns hold what")

# In the order in which findings are told: as they arrived, what was wrong, what was made of it.
KINDS: dict[str, Kind] = {
    "outside": Kind("dropped", False, Message("candles outside the span asked for")),
    "unfinished": Kind("dropped", False, Message("unfinished candles")),
    "no_time": Kind("dropped", True, Message("rows without a time"), Message("check the time column")),
    "order": Kind("kept", False, Message("candles behind a later one, now sorted")),
    "duplicate": Kind("dropped", False, Message("candles that repeat another word for word")),
    "conflict": Kind(
        "dropped",
        False,
        Message("candles that contradict another of the same time, which came later or fits the price before"),
    ),
    "off_grid": Kind(
        "dropped",
        True,
        Message("candles that open off the bar's grid"),
        Message("check the bar (1D is the UTC day, 1D@UTC+8 the Hong Kong day), source.label and source.timezone"),
    ),
    "off_calendar": Kind(
        "dropped",
        True,
        Message("candles at times when the calendar has none"),
        Message("check clean.calendar, source.timezone and source.label; daily bars stand at 00:00 UTC of their date"),
    ),
    "not_finite": Kind("dropped", True, Message("candles with a missing or infinite value"), _COLUMNS),
    "not_positive": Kind("dropped", True, Message("candles with a price of zero or below"), _COLUMNS),
    "range": Kind(
        "dropped",
        True,
        Message("candles whose open or close lies outside low … high"),
        _COLUMNS,
    ),
    "negative": Kind("dropped", True, Message("candles with volume or turnover below zero"), _COLUMNS),
    "repeated": Kind(
        "dropped",
        True,
        Message("candles of blocks that stand twice, at two times, of which one must be wrong"),
        Message("fetch these bars again"),
    ),
    "frozen": Kind(
        "dropped",
        True,
        Message(
            "candles that look saved before they closed: the next one opens elsewhere, which is unusual in this market"
        ),
        Message("fetch these bars again, end before them with until, or set clean.frozen = 'keep'"),
    ),
    "dead": Kind("dropped", False, Message("candles of long stretches without trade")),
    "turnover": Kind(
        "derived",
        True,
        Message("candles whose turnover / volume lies outside low … high, now vol × mean(o, h, l, c)"),
        _COLUMNS,
    ),
    "hole": Kind("cut", False, Message("missing bars, at which the series is split")),
    "filled": Kind(
        "filled",
        False,
        Message("missing bars, now flat at the close before with volume 0"),
    ),
    "unit": Kind("cut", False, Message("changes of the unit of volume")),
    "jump": Kind("cut", False, Message("jumps between neighbouring bars that no market traded through")),
    "quiet": Kind("kept", False, Message("candles without trade")),
    "silent": Kind("kept", False, Message("candles whose price moves at volume 0")),
    "extreme": Kind("kept", False, Message("candles with an extreme range")),
    "starts_late": Kind("kept", False, Message("bars due before the first candle")),
    "ends_early": Kind("kept", False, Message("bars due after the last candle")),
}


class Finding(NamedTuple):
    """One kind of thing that was found. JSON-able by `_asdict()`."""

    kind: str  # a key of KINDS
    count: int  # type: ignore[assignment]  # the summary's word; hides tuple.count, which nobody needs here
    action: Action
    examples: tuple[str, ...]  # at most three: time and values

    @property
    def texts(self) -> dict[str, str]:
        """The finding in words, without its count and examples: {"en": …, "zh": …}."""
        return Message("{text} ({action})", text=KINDS[self.kind].text, action=ACTIONS[self.action]).both()

    def __str__(self) -> str:
        """One sentence in the user's language, with the count and the examples."""
        text, action, examples = KINDS[self.kind].text, ACTIONS[self.action], "; ".join(self.examples)
        if not examples:
            return _("{text} × {count} ({action})", text=text, count=self.count, action=action)
        return _(
            "{text} × {count} ({action}): {examples}", text=text, count=self.count, action=action, examples=examples
        )


class Log:
    """Collects findings; the same kind found twice is one finding with both counts."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[int, tuple[str, ...]]] = {}

    def add(self, kind: str, count: int, examples: Iterable[str] = ()) -> None:
        """Count something. A count of 0 leaves no trace."""
        if count:
            before, shown = self._counted.get(kind, (0, ()))
            self._counted[kind] = (before + count, (*shown, *examples)[:3])

    def rows(self, kind: str, frame: pl.DataFrame) -> None:
        """Count the rows of `frame`, with the first three as examples."""
        self.add(kind, len(frame), (shown(row) for row in frame.head(3).iter_rows(named=True)))

    def drop(self, kind: str, frame: pl.DataFrame, mask: pl.Series) -> pl.DataFrame:
        """`frame` without the rows under `mask`, which are counted."""
        if not mask.any():
            return frame
        self.rows(kind, frame.filter(mask))
        return frame.filter(~mask)

    @property
    def broken(self) -> int:
        """Rows found so far that count against `max_bad_share`."""
        return sum(count for kind, (count, _) in self._counted.items() if KINDS[kind].broken)

    def findings(self) -> list[Finding]:
        """Everything found, in the order of KINDS."""
        counted = self._counted
        return [
            Finding(kind, counted[kind][0], KINDS[kind].action, counted[kind][1]) for kind in KINDS if kind in counted
        ]


def shown(row: dict[str, Any]) -> str:
    """One candle as text: `2025-01-07T00:00Z o 102285.7 h 102823.1 l 101992 c 102571.7 v 605.2204 a 61945900`."""
    return f"{_('no time') if row['ts'] is None else iso(row['ts'])} {values(row)}"


def values(row: dict[str, Any]) -> str:
    """The numbers of one candle as text; `?` where there is none."""
    return " ".join(f"{name[0]} {'?' if row[name] is None else format(row[name], '.10g')}" for name in FEATURES)
