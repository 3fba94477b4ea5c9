"""Tables on the console, right in a terminal and in a pipe, in Latin and in Chinese letters."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns, two blanks apart; columns of numbers to the right. No column is ever cut."""
    rows = list(rows)
    lines = [list(heads), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    right = [all(isinstance(cell, int | float) for cell in column) for column in zip(*rows, strict=True)]
    for line in lines:
        cells = (
            _pad(cell, width, r) for cell, width, r in zip(line, widths, right or [False] * len(widths), strict=True)
        )
        print("  ".join(cells).rstrip())


def _text(cell: object) -> str:
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)


def _pad(cell: str, width: int, right: bool) -> str:
    blanks = " " * (width - cell_len(cell))
    return blanks + cell if right else cell + blanks
