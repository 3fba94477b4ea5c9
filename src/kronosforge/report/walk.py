"""The page's part on walking forward: a row a fold, and all folds together."""

from typing import Any

from kronosforge.config import TrainConfig
from kronosforge.core.i18n import Message, MessageList
from kronosforge.core.names import START, TUNED
from kronosforge.core.verdict import State, state_of
from kronosforge.report.html import (
    Column,
    Html,
    command,
    decimal,
    join,
    note,
    number,
    paragraph,
    say,
    section,
    table,
    text,
    when,
    words,
)  # fmt: skip
from kronosforge.report.judgement import SCORES, estimate, name_of
from kronosforge.report.model import Json, Model, dig
from kronosforge.report.sections import MOST_ROWS

CRPS, HIT, IC = (metric for metric in SCORES if metric.key in ("crps", "hit", "ic"))
COLUMNS = [
    Column(say("Fold"), "key"),
    Column(say("Forecasts from")),
    Column(say("Forecasts"), "n"),
    Column(say("CRPS %"), "n"),
    Column(say("CRPS %, start"), "n"),
    Column(say("CRPS %, baseline"), "n"),
    Column(say("Direction %"), "n"),
    Column(say("IC"), "n"),
    Column(say("Edge")),
]


def walk(model: Model) -> Html:
    """What the folds' evaluation tells; nothing where there are none."""
    evaluation = model.walk
    if not evaluation:
        return Html("")
    folds = [fold for fold in evaluation.get("folds", []) if isinstance(fold, dict)]
    again = command(f"kronosforge evaluate --config {model.name} --folds {len(folds)} --force")
    heading = say("Walk-forward")
    if not _is_of(evaluation, model):
        sentence = say("The folds are of another dataset or other settings than those here; walk again:")
        return section("folds", heading, paragraph(sentence), again)
    rows = [_row(evaluation, number(int(dig(fold, "fold") or 0)), fold) for fold in folds[:MOST_ROWS]]
    level = decimal(dig(evaluation, "provenance", "settings", "level"), 0, 100)
    counted = say(
        "{trainings} trainings, each judged on the bars that came next; below each mean its {level} % interval.",
        trainings=len(folds),
        level=level,
    )
    return section(
        "folds",
        heading,
        paragraph(words(dig(evaluation, "verdict", "sentence") or "")),
        paragraph(counted),
        table(COLUMNS, rows, _row(evaluation, say("all"), evaluation)),
        paragraph(_lower(evaluation, len(folds))),
        *(note(words(entry)) for entry in evaluation.get("notes", [])[:2]),  # the rest stand under the evaluation
    )


def _is_of(evaluation: Json, model: Model) -> bool:
    """Whether what was trained on is the dataset that stands here, and as the model here was trained."""
    asked = dig(evaluation, "provenance", "train") or {}
    alike = all(
        run.facts.get(key) == asked.get(key)
        for run in model.runs.values()
        for key in TrainConfig.model_fields
        if run.facts
    )
    return alike and model.summary.get("fingerprint") in (None, dig(evaluation, "provenance", "dataset"))


def _row(evaluation: Json, name: Html, scores: Json) -> list[Html]:
    pooled: dict[str, Any] = {key: dig(tables, "pooled") for key, tables in (dig(scores, "models") or {}).items()}
    best = dig(scores, "verdict", "baseline")
    baseline = name_of(evaluation, best) if best else None
    below = Html(f"<small>{say(baseline)}</small>") if baseline else Html("")
    return [
        name,
        join([when(dig(scores, "origins", "first")), when(dig(scores, "origins", "last"))], " → "),
        number(int(dig(scores, "origins", "judged") or 0)),
        estimate(dig(pooled, TUNED, "crps"), CRPS),
        estimate(dig(pooled, START, "crps"), CRPS),
        join([estimate(dig(pooled, str(best), "crps"), CRPS), below]),
        estimate(dig(pooled, TUNED, "hit"), HIT),
        estimate(dig(pooled, TUNED, "ic"), IC),
        Html("✓") if state_of(dig(scores, "verdict")) is State.EDGE else text("–"),
    ]


def _lower(evaluation: Json, folds: int) -> Html:
    """In how many folds the fine-tuned model's CRPS is lower than each other's."""
    counts = {name_of(evaluation, key): count for key, count in (dig(evaluation, "lower_in") or {}).items()}
    return say(
        "Of {folds} folds, the fine-tuned model's CRPS is lower than that of: {counts}.",
        folds=folds,
        counts=MessageList(Message("{name} {count}", name=name, count=count) for name, count in counts.items()),
    )
