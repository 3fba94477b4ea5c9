"""The console: tables, live lines and progress bars, right in a terminal and in a pipe, in Latin and in Chinese letters."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from kronosforge.core.bars import Series
from kronosforge.core.boundary import ERROR
from kronosforge.core.i18n import Message, _
from kronosforge.workflows.fleet import LIVE

EVERY_S = 0.5  # between two versions of a live line


def print_json(content: Mapping[str, Any]) -> None:
    """Print one object on stdout: what --json asks for."""
    print(json.dumps(content, ensure_ascii=False))


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


def print_on_stderr(line: str) -> None:
    """Print a line at once, over the live line where there is one."""
    print(("\r\x1b[2K" if sys.stderr.isatty() else "") + line, file=sys.stderr, flush=True)


def live_line() -> Callable[[str, bool], None]:
    """Write a line on stderr over the one before, at most every half second; nothing where stderr is no terminal.

    The second argument is True for the last line, which stays.
    """
    last = time.monotonic()

    def show(line: str, ends: bool) -> None:
        nonlocal last
        now = time.monotonic()
        if sys.stderr.isatty() and (ends or now - last >= EVERY_S):
            last = now
            print(f"\r\x1b[2K{line}", end="\n" if ends else "", file=sys.stderr, flush=True)

    return show


def forecasts_counter(title: str) -> Callable[[int, int], None]:
    """Show how many forecasts of how many are done, in a live line."""
    begin, show = time.monotonic(), live_line()

    def count(done: int, total: int) -> None:
        left = (time.monotonic() - begin) / done * (total - done)
        line = _(
            "{title}: {done} of {total} forecasts, {left:.0f} s left", title=title, done=done, total=total, left=left
        )
        show(line, done == total)

    return count


@contextmanager
def fleet_board() -> Iterator[Callable[[str, str], None]]:
    """Show the lines of many models: on a terminal one live line for each, elsewhere the lines that are kept, on stderr.

    Why a model failed is in the result of the fleet, so that here is only said that it did.
    """

    def kept(model: str, line: str) -> str:
        return f"[{model}] " + (_("failed") if line.startswith(ERROR) else line)

    if not sys.stderr.isatty():

        def keep(model: str, line: str) -> None:
            if not line.startswith(LIVE):
                print(kept(model, line), file=sys.stderr, flush=True)

        yield keep
        return
    last: dict[str, str] = {}
    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as board:

        def show(model: str, line: str) -> None:
            if line.startswith(LIVE):
                last[model] = line.removeprefix(LIVE)
                board.update(Text("\n".join(last.values())), refresh=True)
            else:
                board.console.print(Text(kept(model, line)))

        yield show


@contextmanager
def download_bars() -> Iterator[Callable[[Series, int, int], None] | None]:
    """A progress bar per series on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars = Progress(*columns, console=Console(stderr=True), transient=True)
    tasks: dict[Series, Any] = {}

    def show(series: Series, present: int, total: int) -> None:
        if not tasks:  # not before: a question may come first, and a live display would hide it
            bars.start()
        if series not in tasks:
            tasks[series] = bars.add_task(str(series), total=total)
        bars.update(tasks[series], completed=present)

    try:
        yield show
    finally:
        if tasks:
            bars.stop()


def confirmed(question: str) -> bool:
    """Ask a person on the terminal; False where there is none, or the answer is not yes."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(question, "[y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", Message("yes"))


def asked(question: str, choices: Sequence[str], default: str, *, ask: bool = True) -> str:
    """The choice of the person on the terminal, by name or number; the default on an empty line, or unless `ask`.

    Raises KeyboardInterrupt where the input ends.
    """
    if not ask:
        print(f"{question}: {default}")
        return default
    listed = "  ".join(f"{number}) {choice}" for number, choice in enumerate(choices, 1))
    while True:
        print(f"{question}:  {listed}  [{default}] ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        answer = line.strip() or default
        if answer.isdecimal() and 0 < int(answer) <= len(choices):
            return choices[int(answer) - 1]
        if answer in choices:
            return answer
        print(_("found {answer!r}; choose one of {choices}", answer=answer, choices=", ".join(choices)))
