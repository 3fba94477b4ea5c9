"""Which windows an epoch visits, and in what order: permutations that are computed on demand and never stored.

A permutation of [0, n) is a Feistel network over pairs (a, b) of [0, side)², side = ⌈√n⌉, with addition modulo side (Black
and Rogaway, "Ciphers with arbitrary finite domains", 2002). A result of n or more goes through the network again, which
happens to fewer than 2 / √n of all.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from kronosforge.core.errors import ConfigError
from kronosforge.core.i18n import _

Mix: TypeAlias = Literal["bars", "series"] | Mapping[str, float]
Ints: TypeAlias = npt.NDArray[np.int64]
UInts: TypeAlias = npt.NDArray[np.uint64]

_ROUNDS = 8  # with six, some pairs of five windows are adjacent 4 % too often; with eight, none
_GAMMA, _FIRST, _SECOND = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)
_SHIFTS = np.array([30, 27, 31], np.uint64)


def splitmix64(key: UInts, number: UInts) -> UInts:
    """The `number`th random integer of the stream with the seed `key` (Steele, Lea and Flood, 2014)."""
    z: UInts = key + number * _GAMMA
    z ^= z >> _SHIFTS[0]
    z *= _FIRST
    z ^= z >> _SHIFTS[1]
    z *= _SECOND
    z ^= z >> _SHIFTS[2]
    return z


def permute(positions: Ints, n: Ints, key: UInts) -> Ints:
    """`positions` (P,) under the permutation `key` of [0, n); `n` and `key` are (P,) or (1,). n < 2⁵⁰."""
    side = np.ceil(np.sqrt(n)).astype(np.uint64)
    out = _network(positions.astype(np.uint64), side, key)
    limit = n.astype(np.uint64)
    while len(beyond := np.flatnonzero(out >= limit)):
        out[beyond] = _network(*(np.broadcast_to(values, out.shape)[beyond] for values in (out, side, key)))
    return out.astype(np.int64)


def _network(x: UInts, side: UInts, key: UInts) -> UInts:
    a, b = x // side, x % side
    for number in range(_ROUNDS):
        # every pair (b, round) has its own number, so no round repeats another
        a, b = b, (a + splitmix64(key, b * np.uint64(_ROUNDS) + np.uint64(number)) % side) % side
    out: UInts = a * side + b
    return out


class Group(NamedTuple):
    """Consecutive windows that are equally likely."""

    first: int  # number of the first window
    windows: int  # number of windows
    visits: int  # number of visits in an epoch


class Order:
    """The order of any epoch. It holds a few numbers per group, whatever the number of windows.

    The visits of a group go through one permutation of its windows after another: no window is visited a second time
    before all were visited once. Another permutation shuffles the visits of all groups.
    """

    def __init__(self, groups: Sequence[Group], seed: int) -> None:
        self._first, self._windows, self._visits = np.array(groups, np.int64).T
        self._ends = np.cumsum(self._visits)
        self._seed = seed

    def __len__(self) -> int:
        return int(self._ends[-1])

    def numbers(self, epoch: int, positions: Ints) -> Ints:
        """The numbers (P,) of the windows at `positions` (P,) of the epoch."""
        key = splitmix64(splitmix64(np.zeros(1, np.uint64), _uint64(self._seed)), _uint64(epoch))
        slots = permute(positions, self._ends[-1:], key) if len(self._ends) > 1 else positions
        group = np.searchsorted(self._ends, slots, side="right")
        windows = self._windows[group]
        turn, place = np.divmod(slots - (self._ends - self._visits)[group], windows)
        turn_key = splitmix64(splitmix64(key, group.astype(np.uint64)), turn.astype(np.uint64))
        numbers: Ints = self._first[group] + permute(place, windows, turn_key)
        return numbers


def _uint64(number: int) -> UInts:
    return np.array([number % 2**64], np.uint64)


def groups(series: Mapping[str, int], mix: Mix, visits: int | None) -> list[Group]:
    """The groups of a split with `series` (name → windows, in the order of their numbers).

    `visits` is the length of an epoch, by default the number of windows. "bars" makes all windows equally likely,
    "series" gives each series the same share, and a mapping gives each series a weight. Raises ConfigError for an empty
    epoch and for a mix that does not fit the series.
    """
    total = sum(series.values())
    visits = total if visits is None else visits
    if visits < 1:
        raise ConfigError(_("windows per epoch: {visits}; allowed: 1 or more", visits=visits))
    if mix == "bars":
        return [Group(0, total, visits)]
    weights = dict.fromkeys(series, 1.0) if mix == "series" else _checked(series, mix)
    share = _shares([weights[name] for name in series], visits)
    ends = np.cumsum(list(series.values())).tolist()
    return [Group(end - n, n, part) for end, n, part in zip(ends, series.values(), share, strict=True)]


def _shares(weights: list[float], whole: int) -> list[int]:
    """`whole` divided in proportion to `weights`; the remainders of rounding down go to the largest fractions."""
    exact = np.array(weights) / sum(weights) * whole
    parts = np.floor(exact).astype(np.int64)
    parts[np.argsort(parts - exact, kind="stable")[: whole - parts.sum()]] += 1
    return [int(part) for part in parts]


def _checked(series: Mapping[str, int], mix: Mix) -> Mapping[str, float]:
    if isinstance(mix, str):
        raise ConfigError(_("mix: {mix!r}; allowed: 'bars', 'series', or a weight per series", mix=mix))
    unknown, missing = sorted(set(mix) - set(series)), [name for name in series if name not in mix]
    if unknown or missing:
        raise ConfigError(
            _(
                "mix: unknown series: {unknown}; series without a weight: {missing}",
                unknown=", ".join(unknown) or _("none"),
                missing=", ".join(missing) or _("none"),
            )
        )
    if not all(0 <= weight < float("inf") for weight in mix.values()) or not any(mix.values()):
        weights = ", ".join(f"{name} {weight}" for name, weight in mix.items())
        raise ConfigError(_("mix: weights must be 0 or more, and not all 0; found {value}", value=weights))
    return mix
