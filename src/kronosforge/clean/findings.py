"""What cleaning found: one record per kind, said in two languages, in a fixed order."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import polars as pl

from kronosforge.core.bars import iso
from kronosforge.core.candles import FEATURES
from kronosforge.core.i18n import tr

Action = Literal["dropped", "kept", "cut", "filled", "derived"]

ACTIONS: dict[Action, str] = {"dropped": "去除", "kept": "保留", "cut": "切分", "filled": "补齐", "derived": "推算"}


class Kind(NamedTuple):
    """One sort of finding: what happens to it, whether it speaks against the series, and how to say it."""

    action: Action
    broken: bool  # counts against `max_bad_share`
    english: str
    chinese: str
    advice: tuple[str, str] = ("", "")  # what to do where it is the whole series


_COLUMNS = ("check which columns hold what", "请检查各列的含义")

# In the order in which findings are told: as they arrived, what was wrong, what was made of it.
KINDS: dict[str, Kind] = {
    "outside": Kind("dropped", False, "candles outside the span asked for", "所要求时段之外的K线"),
    "unfinished": Kind("dropped", False, "unfinished candles", "尚未收盘的K线"),
    "no_time": Kind("dropped", True, "rows without a time", "没有时间的行", ("check the time column", "请检查时间列")),
    "order": Kind("kept", False, "candles behind a later one, now sorted", "排在更晚K线之后、现已排好的K线"),
    "duplicate": Kind("dropped", False, "candles that repeat another word for word", "与另一根完全相同的K线"),
    "conflict": Kind(
        "dropped",
        False,
        "candles that contradict another of the same time, which came later or fits the price before",
        "与同一时刻另一根矛盾的K线;保留后到的、或与前价相符的一根",
    ),
    "off_grid": Kind(
        "dropped",
        True,
        "candles that open off the bar's grid",
        "开盘时刻不在该周期网格上的K线",
        (
            "check the bar (1D is the UTC day, 1D@UTC+8 the Hong Kong day), source.label and source.timezone",
            "请检查周期(1D 是 UTC 日,1D@UTC+8 是香港日)、source.label 与 source.timezone",
        ),
    ),
    "off_calendar": Kind(
        "dropped",
        True,
        "candles at times when the calendar has none",
        "出现在交易日历之外的K线",
        (
            "check clean.calendar, source.timezone and source.label; daily bars stand at 00:00 UTC of their date",
            "请检查 clean.calendar、source.timezone 与 source.label;日线应位于当日 00:00 UTC",
        ),
    ),
    "not_finite": Kind("dropped", True, "candles with a missing or infinite value", "含缺失或无穷值的K线", _COLUMNS),
    "not_positive": Kind("dropped", True, "candles with a price of zero or below", "价格为零或负的K线", _COLUMNS),
    "range": Kind(
        "dropped",
        True,
        "candles whose open or close lies outside low … high",
        "开盘或收盘价超出高低价范围的K线",
        _COLUMNS,
    ),
    "negative": Kind(
        "dropped", True, "candles with volume or turnover below zero", "成交量或成交额为负的K线", _COLUMNS
    ),
    "repeated": Kind(
        "dropped",
        True,
        "candles of blocks that stand twice, at two times, of which one must be wrong",
        "在两个不同时刻重复出现的区段中的K线,其中必有一段是错的",
        ("fetch these bars again", "请重新下载这些K线"),
    ),
    "frozen": Kind(
        "dropped",
        True,
        "candles that look saved before they closed: the next one opens elsewhere, which is unusual in this market",
        "疑似在收盘前就被保存的K线:下一根从别处开盘,在该市场很不寻常",
        (
            "fetch these bars again, end before them with until, or set clean.frozen = 'keep'",
            "请重新下载这些K线,或用 until 截止到它们之前,或设 clean.frozen = 'keep'",
        ),
    ),
    "dead": Kind("dropped", False, "candles of long stretches without trade", "长时间没有成交的K线"),
    "turnover": Kind(
        "derived",
        True,
        "candles whose turnover / volume lies outside low … high, now vol × mean(o, h, l, c)",
        "成交额/成交量 超出高低价范围、现改为 vol × mean(o, h, l, c) 的K线",
        _COLUMNS,
    ),
    "hole": Kind("cut", False, "missing bars, at which the series is split", "缺失的K线,序列在此分段"),
    "filled": Kind(
        "filled",
        False,
        "missing bars, now flat at the close before with volume 0",
        "缺失的K线,已以前收盘价、零成交量补平",
    ),
    "unit": Kind("cut", False, "changes of the unit of volume", "成交量单位的变化"),
    "jump": Kind(
        "cut", False, "jumps between neighbouring bars that no market traded through", "相邻K线之间没有成交的价格断层"
    ),
    "quiet": Kind("kept", False, "candles without trade", "没有成交的K线"),
    "silent": Kind("kept", False, "candles whose price moves at volume 0", "成交量为 0 而价格变动的K线"),
    "extreme": Kind("kept", False, "candles with an extreme range", "振幅极大的K线"),
    "starts_late": Kind("kept", False, "bars due before the first candle", "早于第一根K线的应有K线"),
    "ends_early": Kind("kept", False, "bars due after the last candle", "晚于最后一根K线的应有K线"),
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
        kind = KINDS[self.kind]
        return {"en": f"{kind.english} ({self.action})", "zh": f"{kind.chinese}({ACTIONS[self.action]})"}

    def __str__(self) -> str:
        """One sentence in the user's language, with the count and the examples."""
        shown = "; ".join(self.examples)
        kind = KINDS[self.kind]
        return tr(
            f"{kind.english} × {self.count} ({self.action})" + ": " * bool(shown) + shown,
            f"{kind.chinese} × {self.count}({ACTIONS[self.action]})" + ":" * bool(shown) + shown,
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
    return f"{tr('no time', '无时间') if row['ts'] is None else iso(row['ts'])} {values(row)}"


def values(row: dict[str, Any]) -> str:
    """The numbers of one candle as text; `?` where there is none."""
    return " ".join(f"{name[0]} {'?' if row[name] is None else format(row[name], '.10g')}" for name in FEATURES)
