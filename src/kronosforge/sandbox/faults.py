"""Deliberate failures of an exchange connection, by kind, probability and seed.

Whether a fault occurs depends only on the seed, the request and how often that request was made before: the same
requests meet the same faults in any order, and a repeated request draws again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from zlib import crc32

import numpy as np

from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _

KINDS = {
    "429": "rate limit or busy systems",
    "5xx": "exchange unavailable",
    "reset": "connection reset",
    "truncate": "body cut off",
    "html": "an HTML page instead of JSON",
    "slow": "late by `delay` seconds",
    "duplicate": "repeated rows in a page of candles",
    "missing": "an empty page although there are candles",
}
SETTINGS = ("skew", "seed", "delay")

# Status, code, message and whether the body has a data key: each seen as an answer of OKX.
REJECTIONS = {
    "429": [(429, "50011", "Too Many Requests", False), (200, "50011", "Too Many Requests", True)],
    "5xx": [
        (503, "50001", "Service temporarily unavailable. Please try again later.", True),
        (429, "50013", "Systems are busy. Please try again later.", True),
        (500, "50026", "System error. Please try again later.", True),
    ],
}


@dataclass(frozen=True)
class Faults:
    """The probability of each kind (0 to 1), and the error of the exchange's clock.

    skew    seconds by which /public/time is ahead of the bars
    delay   seconds of a slow response
    """

    chances: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    skew: float = 0.0
    seed: int = 0
    delay: float = 0.05

    def draw(self, request: str, attempt: int) -> dict[str, float]:
        """The kinds that the `attempt`-th (0, 1, …) `request` meets, each with a number in [0, 1) that selects its form."""
        random = np.random.default_rng([self.seed % 2**64, attempt, crc32(request.encode())])
        dice = zip(KINDS, random.random((len(KINDS), 2)).tolist(), strict=True)
        return {kind: form for kind, (chance, form) in dice if chance < self.chances.get(kind, 0.0)}


def parse(spec: str) -> Faults:
    """The faults of a text such as `429=0.2,reset=0.1,skew=90,seed=3`; `all=0.2` sets every kind. Raises UsageError."""
    chances: dict[str, float] = {}
    settings: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in spec.split(","))):
        name, _, text = part.partition("=")
        value = _number(part, text)
        if name in SETTINGS and (name == "skew" or value >= 0) and (name != "seed" or value.is_integer()):
            settings[name] = value
        elif name in ("all", *KINDS) and 0 <= value <= 1:
            chances.update(dict.fromkeys(KINDS, value) if name == "all" else {name: value})
        else:
            raise _unknown(part)
    seed = int(settings.pop("seed", 0))
    return Faults(MappingProxyType(chances), seed=seed, **settings)


def repeat(rows: list[list[str]], form: float) -> list[list[str]]:
    """`rows` with up to three neighbours repeated."""
    at = int(form * len(rows))
    return [*rows[:at], *(row for row in rows[at : at + 3] for _ in range(2)), *rows[at + 3 :]]


def _number(part: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _unknown(part) from None
    if not np.isfinite(value):
        raise _unknown(part)
    return value


def _unknown(part: str) -> UsageError:
    kinds = " ".join(KINDS)
    return UsageError(
        _(
            "--faults: {part!r} is not valid; write KIND=PROBABILITY (0 to 1) with KIND one of "
            "{kinds} all, and skew=SECONDS, delay=SECONDS, seed=WHOLE NUMBER, separated by commas",
            part=part,
            kinds=kinds,
        )
    )
