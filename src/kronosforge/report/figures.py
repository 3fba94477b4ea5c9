"""Charts as plain JSON values for figures.js: lines, dots, bars and bands on panels one above the other."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

from kronosforge.core.i18n import Message

MOST_POINTS = 1000  # of one line
SHORT = 6  # digits


class Trace(NamedTuple):
    """Something drawn. `colour` is one of page.css, `kind` line, thin, dash, dots, bar, or a band or the core of
    one, which have two edges."""

    name: Message
    kind: str
    colour: str
    x: Sequence[float]
    y: Sequence[float | None]
    upper: Sequence[float | None] = ()
    panel: int = 0


class Axis(NamedTuple):
    """A panel's values, top down."""

    title: Message
    log: bool = False


class Mark(NamedTuple):
    """An upright line with a label."""

    x: float
    name: Message


class Figure(NamedTuple):
    """A chart's place on the page."""

    number: int  # from 0, among the page's charts
    panels: int
    legend: list[Trace]


class Figures:
    """The charts of one page, in their order."""

    def __init__(self) -> None:
        self.specs: list[dict[str, Any]] = []

    def add(
        self,
        label: Message,
        traces: Sequence[Trace],
        axes: Sequence[Axis],
        *,
        x: Message | None = None,
        marks: Sequence[Mark] = (),
    ) -> Figure:
        """Add a chart. `label` describes it to readers who cannot see it; `x` names its axis, which is time without it."""
        self.specs.append(
            {
                "label": label.both(),
                "x": x.both() if x else None,
                "axes": [{"title": axis.title.both(), "log": axis.log} for axis in axes],
                "traces": [_trace(trace) for trace in traces],
                "marks": [{"x": mark.x, "name": mark.name.both()} for mark in marks],
            }
        )
        legend = {
            (trace.colour, trace.kind, trace.name.translated("en")): trace for trace in traces if trace.panel == 0
        }
        return Figure(len(self.specs) - 1, len(axes), list(legend.values()))


def thinned(x: Sequence[float], y: Sequence[Any]) -> tuple[list[float], list[float | None]]:
    """At most MOST_POINTS points: means of `points_in_one` neighbours each, at the last one's place."""
    size = points_in_one(len(x))
    starts = range(0, len(x), size)
    return [x[min(i + size, len(x)) - 1] for i in starts], [_mean(y[i : i + size]) for i in starts]


def points_in_one(count: int) -> int:
    """How many neighbours of a line of `count` points are drawn as one."""
    return max(1, -(-count // MOST_POINTS))


def finite(value: object) -> TypeGuard[int | float]:
    """Whether `value` is a number that can be drawn and written."""
    return isinstance(value, int | float) and math.isfinite(value)


def _mean(values: Sequence[Any]) -> float | None:
    numbers = [float(value) for value in values if finite(value)]
    return math.fsum(numbers) / len(numbers) if numbers else None


def _trace(trace: Trace) -> Mapping[str, Any]:
    edges = {"y": _digits(trace.y), "upper": _digits(trace.upper)}
    return {**trace._asdict(), "name": trace.name.both(), "x": list(trace.x), **edges}


def _digits(values: Sequence[Any]) -> list[float | None]:
    return [float(f"{value:.{SHORT}g}") if finite(value) else None for value in values]
