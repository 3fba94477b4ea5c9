"""A forecast as a picture: history, median and fan, as SVG that needs no script."""

from collections.abc import Sequence

from kronosforge.core.bars import iso
from kronosforge.report.html import render

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 400, 12, 84, 34, 30


def fan(
    title: str,
    history: Sequence[tuple[int, float]],
    ahead: Sequence[int],
    quantiles: Sequence[Sequence[float]],
) -> str:
    """SVG of (time ms, close) pairs, then of `quantiles`: one row a level, ascending, symmetric about the median.

    Rows are paired from the outside in, each pair a band; the middle row is the line.
    """
    times = [time for time, _ in history] + list(ahead)
    values = [value for _, value in history] + [value for row in quantiles for value in row]
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0

    def x(time: int) -> float:
        return LEFT + (time - times[0]) / max(times[-1] - times[0], 1) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / span * (HEIGHT - TOP - BOTTOM)

    def path(pairs: Sequence[tuple[int, float]]) -> str:
        return " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in pairs)

    rows = [[history[-1], *zip(ahead, row, strict=True)] for row in quantiles]
    median = rows[len(rows) // 2]
    return render(
        "fan.svg",
        title=f"{title}, {iso(history[-1][0])[:16]} UTC",
        size=(WIDTH, HEIGHT),
        plot=(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
        bands=[path([*rows[n], *reversed(rows[-1 - n])]) for n in range(len(rows) // 2)],
        history=path(history),
        median=path(median),
        origin=x(history[-1][0]),
        values=[(y(value), f"{value:,.6g}") for value in (low, high, median[-1][1])],
        dates=[(x(time), anchor, iso(time)[:16]) for time, anchor in ((times[0], "start"), (times[-1], "end"))],
    )
