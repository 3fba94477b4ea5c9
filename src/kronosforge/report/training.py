"""The page's part on training: what each stage began with, where it went, and what was kept."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kronosforge.core.candles import FEATURES
from kronosforge.core.i18n import Message
from kronosforge.core.names import HEADLINES
from kronosforge.report.figures import Axis, Figures, Mark, Trace, finite, thinned
from kronosforge.report.html import (
    Column,
    Html,
    code,
    command,
    decimal,
    facts,
    folded,
    join,
    note,
    number,
    paragraph,
    say,
    section,
    table,
    text,
)  # fmt: skip
from kronosforge.report.model import Model, Run, dig
from kronosforge.report.sections import MOST_ROWS


class Said(NamedTuple):
    """How a stage is told."""

    title: Message
    curves: Mapping[str, tuple[Message, str]]  # loss → its name and colour
    columns: Mapping[str, Message]  # of the table of epochs, from validation


STAGES = {
    "tokenizer": Said(
        Message("Tokenizer"),
        {
            "reconstruction": (Message("reconstruction"), "train"),
            "coarse": (Message("from s1 alone"), "test"),
        },
        {
            "reconstruction": Message("Reconstruction"),
            "coarse": Message("From s1 alone"),
            "quantizer": Message("Quantizer"),
            "s1_codes_used": Message("s1 codes used"),
            "s2_codes_used": Message("s2 codes used"),
        },
    ),
    "predictor": Said(
        Message("Predictor"),
        {"s1": (Message("s1"), "train"), "s2": (Message("s2"), "test")},
        {
            "loss": Message("Loss"),
            "s1": Message("s1"),
            "s2": Message("s2"),
            "loss_with_lookback": Message("Lookback included"),
        },
    ),
}


def training(model: Model, figures: Figures) -> Html:
    """Every stage that there is, in order."""
    parts = [_stage(model, stage, run, figures) for stage, run in model.runs.items()]
    missing = [stage for stage in STAGES if stage not in model.runs]
    if missing:
        names = ", ".join(missing)
        parts.append(note(say("Not trained yet: {names}.", names=names)))
    return section("training", say("Training"), *parts)


def _stage(model: Model, stage: str, run: Run, figures: Figures) -> Html:
    said = STAGES[stage]
    parts = [Html(f"<h3>{say(said.title)}</h3>"), paragraph(_outcome(stage, run))]
    if not run.finished:
        parts.append(note(say("Stopped before its end; go on with")))
        parts.append(command(f"kronosforge train --models {model.name} --stage {stage} --resume"))
    if stage == "tokenizer" and run.epochs:
        parts.append(_health(run))
    if run.steps:
        parts.append(_curves(stage, run, figures))
    return join([*parts, folded(say("Every epoch"), _epochs(stage, run))])


def _outcome(stage: str, run: Run) -> Html:
    """What training did to the headline, in one sentence."""
    key, last = HEADLINES[stage], len(run.epochs) - 1
    before, after = (decimal(run.score(key, epoch), 4) for epoch in (0, run.best))
    name = STAGES[stage].columns[key]
    if not run.best and last < 1:
        return say("Measured and kept as it was: {name} {before}.", name=name, before=before)
    if not run.best:
        return say("No epoch was better than the start ({name} {before}): the start is kept.", name=name, before=before)
    return say(
        "Validation: {name} {before} → {after}; the best is epoch {best} of {last}.",
        name=name,
        before=before,
        after=after,
        best=run.best,
        last=last,
    )


def _health(run: Run) -> Html:
    """Reconstruction per feature and the share of codes used, before and after."""
    columns = [
        Column(say("Feature"), "key"),
        Column(say("Reconstruction before"), "n"),
        Column(say("After"), "n"),
        Column(say("Change"), "n"),
        Column(say("Clipped"), "n"),
    ]
    rows = [_feature(run, f"_{name}", code(name)) for name in FEATURES]
    used = [
        (say("{level} codes used", level=level), _both_ends(run, f"{level}_codes_used", 1, 100, " %"))
        for level in ("s1", "s2")
    ]
    return join([table(columns, rows, _feature(run, "", say("all"))), facts(used)])


def _feature(run: Run, suffix: str, name: Html) -> list[Html]:
    before, after = (run.score(f"reconstruction{suffix}", epoch) for epoch in (0, run.best))
    change = 100 * (after / before - 1) if finite(before) and finite(after) and before else None
    clipped = run.score(f"clipped{suffix}", run.best)
    return [name, decimal(before, 4), decimal(after, 4), _percent(change, 1), _percent(clipped, 2, 100)]


def _percent(value: object, places: int, factor: float = 1) -> Html:
    return Html(f"{decimal(value, places, factor)} %") if finite(value) else Html("–")


def _both_ends(run: Run, key: str, places: int, factor: float, unit: str) -> Html:
    before, after = (decimal(run.score(key, epoch), places, factor) for epoch in (0, run.best))
    return Html(f"{before} → {after}{unit}")


def _curves(stage: str, run: Run, figures: Figures) -> Html:
    """Losses of training and validation over the steps, the gradient's norm, the learning rate."""
    said = STAGES[stage]
    steps = [step["step"] for step in run.steps]
    axes = [Axis(Message("loss"), log=_wide(run, said.curves))]
    axes += [Axis(Message("gradient norm")), Axis(Message("learning rate"))]
    traces = [
        _thin(steps, run, key, Message("{name}, training", name=name), colour, 0)
        for key, (name, colour) in said.curves.items()
    ]
    traces += [
        Trace(
            Message("{name}, validation", name=name),
            "dots",
            colour,
            [epoch.get("step", 0) for epoch in run.epochs],
            [dig(epoch, "val", key) for epoch in run.epochs],
        )
        for key, (name, colour) in said.curves.items()
    ]
    traces += [_thin(steps, run, key, axes[i].title, "muted", i) for i, key in ((1, "norm"), (2, "lr"))]
    many = thinned(steps, steps)[2]
    caption = [
        say("{count:,} steps", count=len(steps)),
        *([say("each point is the mean of {many} steps", many=many)] if many > 1 else []),
        say("validation at 0 is the start"),
    ]
    label = Message("Training curves of the {stage}; the numbers are in the table of epochs.", stage=said.title)
    return figures.add(
        say("Curves"), join(caption, " · "), label, traces, axes,
        x=Message("step"), marks=[_best(run)],
    )  # fmt: skip


def _thin(steps: Sequence[float], run: Run, key: str, name: Message, colour: str, panel: int) -> Trace:
    x, y, _size = thinned(steps, [step.get(key) for step in run.steps])
    return Trace(name, "thin", colour, x, y, panel=panel)


def _best(run: Run) -> Mark:
    step = next((epoch.get("step", 0) for epoch in run.epochs if epoch["epoch"] == run.best), 0)
    return Mark(step, Message("best: epoch {best}", best=run.best))


def _wide(run: Run, keys: Mapping[str, Any]) -> bool:
    """Whether the losses span so much that only their logarithms can be read."""
    values = [line[key] for line in run.steps for key in keys if finite(line.get(key))]
    return bool(values) and min(values) > 0 and max(values) > 10 * min(values)


def _epochs(stage: str, run: Run) -> Html:
    columns = STAGES[stage].columns
    first = next(iter(columns))
    heads = [
        Column(say("Epoch"), "n"),
        Column(say("Step"), "n"),
        Column(say("Training"), "n"),
        *(Column(say(name), "n") for name in columns.values()),
        Column(say("Best so far")),
    ]
    rows = [
        [
            number(int(epoch["epoch"])),
            text(epoch.get("step", "–")),
            decimal(dig(epoch, "train", first), 4),
            *(decimal(dig(epoch, "val", key), 4) for key in columns),
            Html("✓") if epoch.get("best") else Html(""),
        ]
        for epoch in run.epochs[:MOST_ROWS]
    ]
    return table(heads, rows)
