"""The page's part on training: what each stage began with, where it went, and what was kept."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kronosforge.core.candles import FEATURES
from kronosforge.core.i18n import Text
from kronosforge.report.figures import Axis, Figures, Mark, Trace, finite, thinned
from kronosforge.report.html import (
    Column,
    Html,
    both,
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
from kronosforge.report.model import HEADLINES, Model, Run, dig
from kronosforge.report.sections import MOST_ROWS


class Said(NamedTuple):
    """How a stage is told."""

    title: Text
    curves: Mapping[str, tuple[Text, str]]  # loss → its name and colour
    columns: Mapping[str, Text]  # of the table of epochs, from validation


STAGES = {
    "tokenizer": Said(
        Text("Tokenizer", "Tokenizer 分词器"),
        {
            "reconstruction": (Text("reconstruction", "重建误差"), "train"),
            "coarse": (Text("from s1 alone", "仅用 s1"), "test"),
        },
        {
            "reconstruction": Text("Reconstruction", "重建误差"),
            "coarse": Text("From s1 alone", "仅用 s1"),
            "quantizer": Text("Quantizer", "量化项"),
            "s1_codes_used": Text("s1 codes used", "s1 码使用率"),
            "s2_codes_used": Text("s2 codes used", "s2 码使用率"),
        },
    ),
    "predictor": Said(
        Text("Predictor", "Predictor 预测器"),
        {"s1": (Text("s1", "s1"), "train"), "s2": (Text("s2", "s2"), "test")},
        {
            "loss": Text("Loss", "损失"),
            "s1": Text("s1", "s1"),
            "s2": Text("s2", "s2"),
            "loss_with_lookback": Text("Lookback included", "含回看窗口"),
        },
    ),
}


def training(model: Model, figures: Figures) -> Html:
    """Every stage that there is, in order."""
    parts = [_stage(model, stage, run, figures) for stage, run in model.runs.items()]
    missing = [stage for stage in STAGES if stage not in model.runs]
    if missing:
        names = ", ".join(missing)
        parts.append(note(say(f"Not trained yet: {names}.", f"尚未训练:{names}。")))
    return section("training", say("Training", "训练"), *parts)


def _stage(model: Model, stage: str, run: Run, figures: Figures) -> Html:
    said = STAGES[stage]
    parts = [Html(f"<h3>{say(said.title.en, said.title.zh)}</h3>"), paragraph(_outcome(stage, run))]
    if not run.finished:
        parts.append(note(say("Stopped before its end; go on with", "训练中断;继续命令")))
        parts.append(command(f"kronosforge train --models {model.name} --stage {stage} --resume"))
    if stage == "tokenizer" and run.epochs:
        parts.append(_health(run))
    if run.steps:
        parts.append(_curves(stage, run, figures))
    return join([*parts, folded(say("Every epoch", "各轮结果"), _epochs(stage, run))])


def _outcome(stage: str, run: Run) -> Html:
    """What training did to the headline, in one sentence."""
    key, last = HEADLINES[stage], len(run.epochs) - 1
    before, after = (decimal(run.score(key, epoch), 4) for epoch in (0, run.best))
    name = STAGES[stage].columns[key]
    if not run.best and last < 1:
        return both(
            Html(f"Measured and kept as it was: {name.en.lower()} {before}."),
            Html(f"仅测量,未改动:{name.zh} {before}。"),
        )
    if not run.best:
        return both(
            Html(f"No epoch was better than the start ({name.en.lower()} {before}): the start is kept."),
            Html(f"没有哪一轮优于起点({name.zh} {before}):保留起点的权重。"),
        )
    return both(
        Html(f"Validation {name.en.lower()} {before} → {after}; the best is epoch {run.best} of {last}."),
        Html(f"验证{name.zh} {before} → {after};最佳为第 {run.best} 轮(共 {last} 轮)。"),
    )


def _health(run: Run) -> Html:
    """Reconstruction per feature and the share of codes used, before and after."""
    columns = [
        Column(say("Feature", "特征"), "key"),
        Column(say("Reconstruction before", "训练前重建误差"), "n"),
        Column(say("After", "训练后"), "n"),
        Column(say("Change", "变化"), "n"),
        Column(say("Clipped", "被截断"), "n"),
    ]
    rows = [_feature(run, f"_{name}", code(name)) for name in FEATURES]
    used = [
        (say(f"{level} codes used", f"{level} 码使用率"), _both_ends(run, f"{level}_codes_used", 1, 100, " %"))
        for level in ("s1", "s2")
    ]
    return join([table(columns, rows, _feature(run, "", say("all", "全部"))), facts(used)])


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
    axes = [Axis(Text("loss", "损失"), log=_wide(run, said.curves))]
    axes += [Axis(Text("gradient norm", "梯度范数")), Axis(Text("learning rate", "学习率"))]
    traces = [
        _thin(steps, run, key, Text(f"{name.en}, training", f"{name.zh},训练"), colour, 0)
        for key, (name, colour) in said.curves.items()
    ]
    traces += [
        Trace(
            Text(f"{name.en}, validation", f"{name.zh},验证"),
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
        say(f"{len(steps):,} steps", f"{len(steps):,} 步"),
        *([say(f"each point is the mean of {many} steps", f"每点为 {many} 步均值")] if many > 1 else []),
        say("validation at 0 is the start", "第 0 步的验证值为起点"),
    ]
    label = Text(
        f"Curves of the {stage}'s training; the numbers are in the table of epochs.",
        f"{said.title.zh}训练曲线;数值见各轮结果表。",
    )
    return figures.add(
        say("Curves", "曲线"), join(caption, " · "), label, traces, axes,
        x=Text("step", "步"), marks=[_best(run)],
    )  # fmt: skip


def _thin(steps: Sequence[float], run: Run, key: str, name: Text, colour: str, panel: int) -> Trace:
    x, y, _ = thinned(steps, [step.get(key) for step in run.steps])
    return Trace(name, "thin", colour, x, y, panel=panel)


def _best(run: Run) -> Mark:
    step = next((epoch.get("step", 0) for epoch in run.epochs if epoch["epoch"] == run.best), 0)
    return Mark(step, Text(f"best: epoch {run.best}", f"最佳:第 {run.best} 轮"))


def _wide(run: Run, keys: Mapping[str, Any]) -> bool:
    """Whether the losses span so much that only their logarithms can be read."""
    values = [line[key] for line in run.steps for key in keys if finite(line.get(key))]
    return bool(values) and min(values) > 0 and max(values) > 10 * min(values)


def _epochs(stage: str, run: Run) -> Html:
    columns = STAGES[stage].columns
    first = next(iter(columns))
    heads = [
        Column(say("Epoch", "轮"), "n"),
        Column(say("Step", "步"), "n"),
        Column(say("Training", "训练"), "n"),
        *(Column(say(name.en, name.zh), "n") for name in columns.values()),
        Column(say("Best so far", "迄今最佳")),
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
