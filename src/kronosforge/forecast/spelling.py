"""How a caller spells features and times, so that a forecast answers in the same words."""

from datetime import UTC, tzinfo
from typing import NamedTuple

from kronosforge.core.candles import FEATURES


class Labels(NamedTuple):
    """How the caller writes features and times."""

    columns: list[str] = FEATURES  # in Kronos' order
    zone: tzinfo | None = UTC  # None: times without a zone, which are UTC
    name: str = "datetime"  # of the index of times
    dates: bool = False  # daily bars: instants are 00:00 UTC of the dates that `zone` shows
