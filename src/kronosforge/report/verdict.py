"""The top of the page: is the dataset ready, how large is it, and what is the worst that was found?"""

from collections.abc import Mapping, Sequence
from typing import Any

from kronosforge.core.i18n import Message
from kronosforge.report.html import Html, code, join, number, paragraph, say, words
from kronosforge.report.sections import SPLITS, Summary, findings_of, rest, sentence

MOST_WARNINGS = 10  # the summary holds all


def verdict(summary: Summary) -> Html:
    """On top: windows per split, what spoils them, the worst of it in words, and the three counts as a bar."""
    slashed = " / ".join(f"{count:,}" for count in _counts(summary))
    findings, warnings = findings_of(summary), summary.get("warnings", [])
    ready = say("Ready: {slashed} windows", slashed=slashed)
    kind = "look" if warnings or any(one["action"] != "kept" for _, one in findings) else "good"
    tally = join(
        [
            _tally(warnings, Message("warnings: {count:,}", count=len(warnings))),
            _tally(findings, Message("findings: {count:,}", count=len(findings))),
        ]
    )
    return join(
        [
            Html(f'<p class="verdict {kind}"><strong>{ready}</strong>{tally or say("no findings")}</p>'),
            worst(findings, warnings),
            proportions(summary),
        ]
    )


def _tally(items: Sequence[object], counted: Message) -> Html:
    return say(counted) if items else Html("")


def worst(findings: Sequence[tuple[str, Mapping[str, Any]]], warnings: Sequence[object]) -> Html:
    """The warnings, else the worst finding."""
    if warnings:
        items = [Html(f"<li>{words(warning)}</li>") for warning in warnings[:MOST_WARNINGS]]
        more = rest(len(warnings), MOST_WARNINGS)
        return Html(f'<ul class="warnings">{join(items)}{more and f"<li>{more}</li>"}</ul>')
    if findings:
        key, finding = findings[0]
        return paragraph(Html(f"{code(key)} {sentence(finding)} × {number(finding['count'])}"), "worst")
    return Html("")


def proportions(summary: Summary) -> Html:
    """The windows of each split as a bar; nothing where there is none."""
    counts = _counts(summary)
    parts = [
        Html(f'<div class="{name}" style="flex-grow:{count}"><b>{number(count)}</b><span>{label}</span></div>')
        for (name, label), count in zip(SPLITS.items(), counts, strict=True)
    ]
    return Html(f'<div class="proportions">{join(parts)}</div>') if sum(counts) else Html("")


def _counts(summary: Summary) -> list[int]:
    return [int(summary.get("windows", {}).get(name, 0)) for name in SPLITS]
