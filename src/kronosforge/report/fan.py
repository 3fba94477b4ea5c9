"""A forecast as a picture: history, median and fan, as SVG that needs no script."""

from collections.abc import Sequence

from kronosforge.core.bars import iso
from kronosforge.report.html import Html, text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 400, 12, 84, 34, 30
HISTORY, FAN, MEDIAN, MUTED = "#3f6a9c", "#d9a24a", "#986408", "#5b6572"


def fan(
    title: str,
    history: Sequence[tuple[int, float]],
    ahead: Sequence[int],
    quantiles: Sequence[Sequence[float]],
    truth: Sequence[float] = (),
) -> Html:
    """SVG of (time ms, close) pairs, then of `quantiles`: one row a level, ascending, symmetric about the median.

    Rows are paired from the outside in, each pair a band; the middle row is the line. `truth` is drawn where it is known.
    """
    times = [time for time, _ in history] + list(ahead)
    values = [value for _, value in history] + [v for row in quantiles for v in row] + list(truth)
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0

    title = f"{title}, {iso(history[-1][0])[:16]} UTC"

    def x(time: int) -> float:
        return LEFT + (time - times[0]) / max(times[-1] - times[0], 1) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / span * (HEIGHT - TOP - BOTTOM)

    def path(pairs: Sequence[tuple[int, float]]) -> str:
        return " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in pairs)

    start = history[-1]
    rows = [[start, *zip(ahead, row, strict=True)] for row in quantiles]
    bands = [
        f'<polygon points="{path([*rows[n], *reversed(rows[-1 - n])])}" fill="{FAN}" fill-opacity=".25"/>'
        for n in range(len(rows) // 2)
    ]
    lines = [(history, HISTORY, ""), (rows[len(rows) // 2], MEDIAN, "")]
    if truth:
        lines.append(([start, *zip(ahead, truth, strict=True)], HISTORY, ' stroke-dasharray="4 3"'))
    drawn = [
        f'<polyline points="{path(pairs)}" fill="none" stroke="{color}" stroke-width="2"{dash}/>'
        for pairs, color, dash in lines
    ]
    marks = [(value, f"{value:,.6g}") for value in (low, high, rows[len(rows) // 2][-1][1])]
    labels = [
        f'<text x="{WIDTH - RIGHT + 6}" y="{y(value) + 4:.1f}" fill="{MUTED}">{mark}</text>' for value, mark in marks
    ]
    dates = [
        f'<text x="{x(time):.1f}" y="{HEIGHT - 8}" fill="{MUTED}" text-anchor="{anchor}">{text(iso(time)[:16])}</text>'
        for time, anchor in ((times[0], "start"), (times[-1], "end"))
    ]
    return Html(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" '
        f'font-size="13"><title>{text(title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
        f'<text x="{LEFT}" y="20" fill="#1c2530" font-weight="600">{text(title)}</text>'
        f'<line x1="{x(start[0]):.1f}" x2="{x(start[0]):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#e4e1da"/>'
        f"{''.join([*bands, *drawn, *labels, *dates])}</svg>"
    )
