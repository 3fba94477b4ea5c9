"""Bar codes, series keys and spans: the words in which every stage speaks of time. Imports nothing heavy.

All instants are integers: milliseconds since the Unix epoch, UTC. A candle is named by its open time.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from kronosforge.core.errors import ConfigError
from kronosforge.core.i18n import _

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

# OKX's own spelling; `m` is a minute (`M`, a month, has no fixed length and is not a Kronos bar).
LENGTHS = {
    "1m": MINUTE, "3m": 3 * MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE,
    "1H": HOUR, "2H": 2 * HOUR, "4H": 4 * HOUR, "6H": 6 * HOUR, "12H": 12 * HOUR,
    "1D": DAY, "1W": WEEK,
}  # fmt: skip
HONG_KONG = "@UTC+8"
# Weeks open on Monday; 1970-01-05 was the first one.
MONDAY = 4 * DAY

# Year first; seconds, their fraction and the zone may be left out. A zone may stand apart: 2025-01-31 16:00 +08:00.
_TIME = re.compile(
    r"((?:19|20|21)\d\d-\d\d-\d\d)(?:([T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?) ?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_INSTRUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Bar(NamedTuple):
    """A bar size with its anchor: opens stand at `offset + k * length`."""

    code: str
    length: int  # ms
    offset: int  # ms

    @property
    def hong_kong(self) -> bool:
        """True where the bar opens on the UTC+8 day."""
        return self.code.endswith(HONG_KONG)

    def floor(self, instant: int) -> int:
        """The newest bar opening at or before `instant`."""
        return instant - (instant - self.offset) % self.length

    def ceil(self, instant: int) -> int:
        """The oldest bar opening at or after `instant`."""
        return instant + (self.offset - instant) % self.length


@lru_cache
def bar(code: str) -> Bar:
    """The `Bar` that a code such as `4H`, `1D` (the UTC day) or `1D@UTC+8` (the Hong Kong day) names.

    Raises ConfigError for an unknown code, or an anchor on a bar that has none.
    """
    base, at, anchor = code.partition("@")
    length = LENGTHS.get(base)
    if length is None or (at and anchor != "UTC+8"):
        raise ConfigError(
            _(
                "unknown bar {code!r}; allowed: {lengths} (case matters), and 6H 12H 1D 1W with {hong_kong}",
                code=code,
                lengths=" ".join(LENGTHS),
                hong_kong=HONG_KONG,
            )
        )
    offset = MONDAY if base == "1W" else 0
    if at:
        if (8 * HOUR) % length == 0:
            raise ConfigError(
                _(
                    "{code!r}: {base} bars open at the same instants in UTC and UTC+8; write {base!r}",
                    code=code,
                    base=base,
                )
            )
        offset = (offset - 8 * HOUR) % length
    return Bar(code, length, offset % length)


class Series(NamedTuple):
    """One instrument at one bar size. As text, `BTC-USD-SWAP_4H`."""

    instrument: str
    bar: Bar

    def __str__(self) -> str:
        return f"{self.instrument}_{self.bar.code}"


def series(key: str) -> Series:
    """Parse a series key; the bar is the part after the last `_`. Raises ConfigError."""
    instrument, separator, code = key.rpartition("_")
    if not separator:
        raise ConfigError(
            _("{key!r} is not a valid series key; write INSTRUMENT_BAR, such as BTC-USDT-SWAP_4H", key=key)
        )
    return Series(instrument_id(instrument), bar(code))


def instrument_id(name: str) -> str:
    """`name`, if it can be an instrument: it becomes a folder name, so it must not leave its folder. Raises ConfigError."""
    if not _INSTRUMENT.fullmatch(name) or name.endswith("."):
        raise ConfigError(
            _(
                "{name!r} is not a valid instrument id; allowed: letters, digits, '-', '_' and '.', starting "
                "with a letter or digit",
                name=name,
            )
        )
    return name


class Span(NamedTuple):
    """The half-open interval of time [start, stop), in ms."""

    start: int
    stop: int

    def __bool__(self) -> bool:
        return self.start < self.stop

    def __str__(self) -> str:
        return f"{iso(self.start)} → {iso(self.stop)}"

    def bars(self, bar: Bar) -> int:
        """How many bars open inside."""
        return max(0, (bar.ceil(self.stop) - bar.ceil(self.start)) // bar.length)


def join(spans: list[Span]) -> list[Span]:
    """The same instants as disjoint, ascending spans that do not touch."""
    joined: list[Span] = []
    for span in sorted(s for s in spans if s):
        if joined and span.start <= joined[-1].stop:
            joined[-1] = Span(joined[-1].start, max(joined[-1].stop, span.stop))
        else:
            joined.append(span)
    return joined


def subtract(wanted: Span, held: list[Span]) -> list[Span]:
    """What of `wanted` is in none of `held`, ascending."""
    missing: list[Span] = []
    start = wanted.start
    for span in join(held):
        if span.stop <= start or span.start >= wanted.stop:
            continue
        missing.append(Span(start, span.start))
        start = span.stop
    missing.append(Span(start, wanted.stop))
    return [span for span in missing if span]


def iso(instant: int) -> str:
    """`2026-01-31T16:00Z`; seconds only where they are not zero."""
    moment = datetime.fromtimestamp(instant / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if moment.second else "%Y-%m-%dT%H:%MZ")


def instant(text: str) -> int:
    """Milliseconds of a date or a date-time such as `2025-01-31 16:00+08:00`; without a zone it is UTC. Raises ConfigError."""
    parts = _TIME.fullmatch(text.strip())
    try:
        moment = datetime.fromisoformat("".join(filter(None, parts.groups())) if parts else "")
    except ValueError:
        raise ConfigError(
            _("{text!r} is not a time; write 2025-01-31, 2025-01-31T16:00Z or '2025-01-31 16:00+08:00'", text=text)
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def clock(seconds: float) -> str:
    """A duration as `1:02:03`."""
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}"


def until(text: str) -> str | None:
    """A time as it is; None for `now`, which each source's own clock decides. Raises ConfigError."""
    if text.strip().lower() == "now":
        return None
    try:
        instant(text)
    except ConfigError as error:
        raise ConfigError(error.detail + _(", or now")) from None
    return text
