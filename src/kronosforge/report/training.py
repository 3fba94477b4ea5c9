"""The page's part on training: what each stage began with, where it went, and what was kept."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kronosforge.core.candles import FEATURES
from kronosforge.core.i18n import Message
from kronosforge.core.names import HEADLINES
from kronosforge.report.figures import Axis, Figure, Figures, Mark, Trace, finite, points_in_one, thinned
from kronosforge.report.model import Model, Run, dig


class Stage(NamedTuple):
    """How a stage is shown."""

    title: Message
    curves: Mapping[str, tuple[Message, str]]  # loss → its name and colour
    columns: Mapping[str, Message]  # of the table of epochs, from validation


STAGES = {
    "tokenizer": Stage(
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
    "predictor": Stage(
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


class Ends(NamedTuple):
    """A value of validation at the start and at the best epoch; None where it was not measured."""

    before: Any
    after: Any

    @property
    def change(self) -> float | None:
        """From before to after, as a share of before."""
        before, after = self
        return after / before - 1 if finite(before) and finite(after) and before else None


class Feature(NamedTuple):
    """A row of the tokenizer's table."""

    name: str  # "" for all of them
    reconstruction: Ends
    clipped: Any  # share


class StageShown(NamedTuple):
    """What the page shows of one stage."""

    name: str
    stage: Stage
    run: Run
    headline: Ends
    features: list[Feature]  # of the tokenizer
    codes: dict[str, Ends]  # level → share of the codes used
    curves: Figure | None
    steps_in_point: int  # of the curves


def training(model: Model, figures: Figures) -> Iterator[StageShown]:
    """Every stage that there is, in order."""
    for name, run in model.runs.items():
        measured = name == "tokenizer" and bool(run.epochs)
        yield StageShown(
            name,
            STAGES[name],
            run,
            ends(run, HEADLINES[name]),
            [_feature(run, feature) for feature in (*FEATURES, "")] if measured else [],
            {level: ends(run, f"{level}_codes_used") for level in ("s1", "s2")},
            _curves(STAGES[name], run, figures) if run.steps else None,
            points_in_one(len(run.steps)),
        )


def ends(run: Run, key: str) -> Ends:
    """What validation measured of `key` at the start and at the best epoch."""
    return Ends(run.score(key, 0), run.score(key, run.best))


def _feature(run: Run, name: str) -> Feature:
    suffix = f"_{name}" if name else ""
    return Feature(name, ends(run, f"reconstruction{suffix}"), run.score(f"clipped{suffix}", run.best))


def _curves(stage: Stage, run: Run, figures: Figures) -> Figure:
    """Losses of training and validation over the steps, the gradient's norm, the learning rate."""
    steps = [step["step"] for step in run.steps]
    axes = [Axis(Message("loss"), log=_wide(run, stage.curves))]
    axes += [Axis(Message("gradient norm")), Axis(Message("learning rate"))]
    traces = [
        _thin(steps, run, key, Message("{name}, training", name=name), colour, 0)
        for key, (name, colour) in stage.curves.items()
    ]
    traces += [
        Trace(
            Message("{name}, validation", name=name),
            "dots",
            colour,
            [epoch.get("step", 0) for epoch in run.epochs],
            [dig(epoch, "val", key) for epoch in run.epochs],
        )
        for key, (name, colour) in stage.curves.items()
    ]
    traces += [_thin(steps, run, key, axes[i].title, "muted", i) for i, key in ((1, "norm"), (2, "lr"))]
    label = Message("Training curves of the {stage}; the numbers are in the table of epochs.", stage=stage.title)
    return figures.add(label, traces, axes, x=Message("step"), marks=[_best(run)])


def _thin(steps: Sequence[float], run: Run, key: str, name: Message, colour: str, panel: int) -> Trace:
    x, y = thinned(steps, [step.get(key) for step in run.steps])
    return Trace(name, "thin", colour, x, y, panel=panel)


def _best(run: Run) -> Mark:
    step = next((epoch.get("step", 0) for epoch in run.epochs if epoch["epoch"] == run.best), 0)
    return Mark(step, Message("best: epoch {best}", best=run.best))


def _wide(run: Run, keys: Mapping[str, Any]) -> bool:
    """Whether the losses span so much that only their logarithms can be read."""
    values = [line[key] for line in run.steps for key in keys if finite(line.get(key))]
    return bool(values) and min(values) > 0 and max(values) > 10 * min(values)
