"""Charts as plain JSON values for figures.js: lines, dots, bars and bands on panels one above the other."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kronosforge.core.i18n import Message
from kronosforge.report.html import Html, join, say

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
    """An upright line with words."""

    x: float
    name: Message


class Figures:
    """The charts of one page, in their order."""

    def __init__(self) -> None:
        self.specs: list[dict[str, Any]] = []

    def add(
        self,
        heading: Html,
        caption: Html,
        label: Message,
        traces: Sequence[Trace],
        axes: Sequence[Axis],
        *,
        x: Message | None = None,
        marks: Sequence[Mark] = (),
    ) -> Html:
        """A figure; `label` says what it shows to who cannot see it, `x` names its axis, which without it is time."""
        self.specs.append(
            {
                "label": label.both(),
                "x": x.both() if x else None,
                "axes": [{"title": axis.title.both(), "log": axis.log} for axis in axes],
                "traces": [_trace(trace) for trace in traces],
                "marks": [{"x": mark.x, "name": mark.name.both()} for mark in marks],
            }
        )
        kind = "chart" if len(axes) > 1 else "chart low"
        return Html(
            f"<figure><figcaption><h3>{heading}</h3><p>{caption}</p></figcaption>{_legend(traces)}"
            f'<output class="reading" aria-live="off"></output><div class="{kind}" data-index="{len(self.specs) - 1}"></div></figure>'
        )


def thinned(x: Sequence[float], y: Sequence[Any]) -> tuple[list[float], list[float | None], int]:
    """At most MOST_POINTS points: means of equally many neighbours, at the last one's place; and how many."""
    many = max(1, -(-len(x) // MOST_POINTS))
    starts = range(0, len(x), many)
    return [x[min(i + many, len(x)) - 1] for i in starts], [_mean(y[i : i + many]) for i in starts], many


def finite(value: object) -> bool:
    """Whether `value` is a number that can be drawn and written."""
    return isinstance(value, int | float) and math.isfinite(value)


def _mean(values: Sequence[Any]) -> float | None:
    numbers = [float(value) for value in values if finite(value)]
    return math.fsum(numbers) / len(numbers) if numbers else None


def _trace(trace: Trace) -> Mapping[str, Any]:
    fields = {**trace._asdict(), "name": trace.name.both(), "y": _digits(trace.y)}
    return fields | {"x": list(trace.x), "upper": _digits(trace.upper)}


def _digits(values: Sequence[Any]) -> list[float | None]:
    return [float(f"{value:.{SHORT}g}") if finite(value) else None for value in values]


def _legend(traces: Sequence[Trace]) -> Html:
    first = {(trace.colour, trace.kind, str(trace.name)): trace.name for trace in traces if trace.panel == 0}
    items = (Html(f'<li><i class="{kind} {colour}"></i>{say(name)}</li>') for (colour, kind, _), name in first.items())
    return Html(f'<ul class="legend">{join(items)}</ul>')
