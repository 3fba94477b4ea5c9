"""The page's part on walking forward: a row a fold, and all folds together."""

from typing import Any

from kronosforge.config import TrainConfig
from kronosforge.core.verdict import State, state_of
from kronosforge.report.html import (
    Column,
    Html,
    both,
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
from kronosforge.report.model import START, TUNED, Json, Model, dig
from kronosforge.report.sections import MOST_ROWS

CRPS, HIT, IC = (metric for metric in SCORES if metric.key in ("crps", "hit", "ic"))
COLUMNS = [
    Column(say("Fold", "折"), "key"),
    Column(say("Forecasts from", "预测起止")),
    Column(say("Forecasts", "预测数"), "n"),
    Column(say("CRPS %", "CRPS %"), "n"),
    Column(say("CRPS %, start", "CRPS %,起点"), "n"),
    Column(say("CRPS %, baseline", "CRPS %,基线"), "n"),
    Column(say("Direction %", "方向命中 %"), "n"),
    Column(say("IC", "IC"), "n"),
    Column(say("Edge", "优势")),
]


def walk(model: Model) -> Html:
    """What the folds' evaluation tells; nothing where there are none."""
    told = model.walk
    if not told:
        return Html("")
    folds = [one for one in told.get("folds", []) if isinstance(one, dict)]
    again = command(f"kronosforge evaluate --config {model.name} --folds {len(folds)} --force")
    heading = say("Walk-forward", "滚动评估")
    if not _is_of(told, model):
        said = say(
            "The folds are of another dataset or other settings than those here; walk again:",
            "各折所用的数据集或训练设置与此处不同;请重新评估:",
        )
        return section("folds", heading, paragraph(said), again)
    rows = [_row(told, number(int(dig(one, "fold") or 0)), one) for one in folds[:MOST_ROWS]]
    level = decimal(dig(told, "provenance", "settings", "level"), 0, 100)
    counted = both(
        Html(
            f"{len(folds)} trainings, each judged on the bars that came next; below each mean its {level} % interval."
        ),
        Html(f"共训练 {len(folds)} 次,每次在其后的K线上评估;均值下方为 {level} % 区间。"),
    )
    return section(
        "folds",
        heading,
        paragraph(words(dig(told, "verdict", "sentence") or "")),
        paragraph(counted),
        table(COLUMNS, rows, _row(told, say("all", "合计"), told)),
        paragraph(_lower(told, len(folds))),
        *(note(words(one)) for one in told.get("notes", [])[:2]),  # the rest stand under the evaluation
    )


def _is_of(told: Json, model: Model) -> bool:
    """Whether what was trained on is the dataset that stands here, and as the model here was trained."""
    asked = dig(told, "provenance", "train") or {}
    alike = all(
        run.facts.get(key) == asked.get(key)
        for run in model.runs.values()
        for key in TrainConfig.model_fields
        if run.facts
    )
    return alike and model.summary.get("fingerprint") in (None, dig(told, "provenance", "dataset"))


def _row(told: Json, name: Html, one: Json) -> list[Html]:
    pooled: dict[str, Any] = {key: dig(found, "pooled") for key, found in (dig(one, "models") or {}).items()}
    best = dig(one, "verdict", "baseline")
    baseline = name_of(told, best) if best else None
    below = Html(f"<small>{say(baseline.en, baseline.zh)}</small>") if baseline else Html("")
    return [
        name,
        join([when(dig(one, "origins", "first")), when(dig(one, "origins", "last"))], " → "),
        number(int(dig(one, "origins", "judged") or 0)),
        estimate(dig(pooled, TUNED, "crps"), CRPS),
        estimate(dig(pooled, START, "crps"), CRPS),
        join([estimate(dig(pooled, str(best), "crps"), CRPS), below]),
        estimate(dig(pooled, TUNED, "hit"), HIT),
        estimate(dig(pooled, TUNED, "ic"), IC),
        Html("✓") if state_of(dig(one, "verdict")) is State.EDGE else text("–"),
    ]


def _lower(told: Json, folds: int) -> Html:
    """In how many folds the fine-tuned model's CRPS is lower than each other's."""
    counts = {name_of(told, key): count for key, count in (dig(told, "lower_in") or {}).items()}
    english = ", ".join(f"{name.en} {count}" for name, count in counts.items())
    chinese = "、".join(f"{name.zh} {count}" for name, count in counts.items())
    return say(
        f"Of {folds} folds, the fine-tuned model's CRPS is lower than that of: {english}.",
        f"{folds} 折中,微调模型 CRPS 更低的折数:{chinese}。",
    )
