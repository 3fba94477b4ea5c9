"""The findings of cleaning: one record per kind, in a fixed order."""

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
    """What a kind of finding means and what happens to the rows."""

    action: Action
    broken: bool  # counts against `max_bad_share`
    text: Message
    advice: Message = CHECK_SOURCE  # what to do if the series is refused for it


_COLUMNS = Message("check which column holds which value")

# In the order in which findings are listed: rows as they arrived, broken bars, and what the series became.
KINDS: dict[str, Kind] = {
    "outside": Kind("dropped", False, Message("candles outside the requested span")),
    "unfinished": Kind("dropped", False, Message("unfinished candles")),
    "no_time": Kind("dropped", True, Message("rows without a time"), Message("check the time column")),
    "order": Kind("kept", False, Message("rows out of order, now sorted")),
    "duplicate": Kind("dropped", False, Message("exact duplicates")),
    "conflict": Kind(
        "dropped",
        False,
        Message("candles that differ from another one of the same time, which came later or fits the previous price"),
    ),
    "off_grid": Kind(
        "dropped",
        True,
        Message("candles that do not open on the bar's grid"),
        Message("check the bar (1D is the UTC day, 1D@UTC+8 the Hong Kong day), source.label and source.timezone"),
    ),
    "off_calendar": Kind(
        "dropped",
        True,
        Message("candles at times when the calendar has none"),
        Message("check clean.calendar, source.timezone and source.label; daily bars open at 00:00 UTC of their date"),
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
        Message("blocks of candles that occur at two different times, one of which must be wrong"),
        Message("fetch these bars again"),
    ),
    "frozen": Kind(
        "dropped",
        True,
        Message("candles that look saved before they closed: the next one opens unusually far from their close"),
        Message("fetch these bars again, set until to a time before them, or set clean.frozen = 'keep'"),
    ),
    "dead": Kind("dropped", False, Message("candles in long periods without trade")),
    "turnover": Kind(
        "derived",
        True,
        Message("candles with turnover / volume outside low … high; turnover is now vol × mean(o, h, l, c)"),
        _COLUMNS,
    ),
    "gap": Kind("cut", False, Message("missing bars, at which the series is split")),
    "filled": Kind(
        "filled",
        False,
        Message("missing bars, filled flat at the previous close with volume 0"),
    ),
    "unit": Kind("cut", False, Message("changes of the unit of volume")),
    "jump": Kind("cut", False, Message("price jumps between neighbouring bars that are larger than clean.max_gap")),
    "quiet": Kind("kept", False, Message("candles without trade")),
    "silent": Kind("kept", False, Message("candles whose price changes at volume 0")),
    "extreme": Kind("kept", False, Message("candles with an extreme range")),
    "starts_late": Kind("kept", False, Message("bars missing before the first candle")),
    "ends_early": Kind("kept", False, Message("bars missing after the last candle")),
}


class Finding(NamedTuple):
    """All findings of one kind. `_asdict()` can be written as JSON."""

    kind: str  # a key of KINDS
    count: int  # type: ignore[assignment]  # the key in the summary; hides tuple.count, which is not used
    action: Action
    examples: tuple[str, ...]  # at most three: time and values

    @property
    def texts(self) -> dict[str, str]:
        """The text of the finding in each language, without its count and examples: {"en": …, "zh": …}."""
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
    """Collects findings and adds up those of the same kind."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[int, tuple[str, ...]]] = {}

    def add(self, kind: str, count: int, examples: Iterable[str] = ()) -> None:
        """Add to the count of a kind; a count of 0 adds nothing."""
        if count:
            earlier_count, earlier_examples = self._counted.get(kind, (0, ()))
            self._counted[kind] = (earlier_count + count, (*earlier_examples, *examples)[:3])

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
        """The number of rows so far that count against `max_bad_share`."""
        return sum(count for kind, (count, _) in self._counted.items() if KINDS[kind].broken)

    def findings(self) -> list[Finding]:
        """All findings, in the order of KINDS."""
        counted = ((kind, *self._counted[kind]) for kind in KINDS if kind in self._counted)
        return [Finding(kind, count, KINDS[kind].action, examples) for kind, count, examples in counted]


def shown(row: dict[str, Any]) -> str:
    """One candle as text: `2025-01-07T00:00Z o 102285.7 h 102823.1 l 101992 c 102571.7 v 605.2204 a 61945900`."""
    return f"{_('no time') if row['ts'] is None else iso(row['ts'])} {values(row)}"


def values(row: dict[str, Any]) -> str:
    """The values of one candle as text; `?` for a missing one."""
    return " ".join(f"{name[0]} {'?' if row[name] is None else format(row[name], '.10g')}" for name in FEATURES)
