"""Suggestions for misspelt names."""

from __future__ import annotations

from kronosforge.core.i18n import MessageList, _

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def closest(word: str, choices: Iterable[str]) -> list[str]:
    """The choice that differs in case alone, else up to three that are about as similar to `word` as the best one."""
    from difflib import SequenceMatcher, get_close_matches  # noqa: PLC0415 - only an error needs it

    by_lower = {choice.lower(): choice for choice in choices}
    if same := by_lower.get(word.lower()):
        return [same]
    matches = get_close_matches(word.lower(), by_lower, n=3, cutoff=0.7)
    alike = {match: SequenceMatcher(None, word.lower(), match).ratio() for match in matches}
    return [by_lower[match] for match, ratio in alike.items() if ratio > max(alike.values()) - 0.1]


def did_you_mean(choices: Iterable[str]) -> str:
    """`; did you mean a or b?`, to append to a message; empty without choices."""
    listed = list(choices)
    if not listed:
        return ""
    return _("; did you mean {choices}?", choices=MessageList(listed, " or "))
