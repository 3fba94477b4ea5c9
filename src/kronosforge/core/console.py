"""Standard streams that can be written to, and text from outside that cannot disturb a terminal."""

from __future__ import annotations

import os
import reprlib
import sys

STREAMS = ("stdin", "stdout", "stderr")  # in the order of their descriptors


def settle_streams() -> None:
    """Open the null device in place of each closed standard stream; show `?` for what an encoding cannot show.

    A shell closes them with `<&-` and `>&-`; without this the next file that is opened would take their place.
    """
    for descriptor, name in enumerate(STREAMS):
        if getattr(sys, name) is None:
            _open_null(descriptor, name)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a notebook or a test has put its own
            stream.reconfigure(errors="replace")


def _open_null(descriptor: int, name: str) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
    os.set_inheritable(descriptor, True)
    mode = "w" if descriptor else "r"
    setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - as long as the process


def printable(text: str) -> str:
    """`text` in one line: control characters, line breaks and invisible characters as their escapes, such as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def print_notice(message: str) -> None:
    """One line on stderr about something that is no error; control characters from outside are escaped."""
    print(printable(message), file=sys.stderr, flush=True)


def brief(value: object) -> str:
    """`repr(value)` for a message: one line of limited length, whatever the value is."""
    try:
        text = _BRIEF.repr(value)
    except ValueError:  # an integer of more digits than Python writes
        text = f"<{type(value).__name__}>"
    return printable(" ".join(text.split()))


_BRIEF = reprlib.Repr()
_BRIEF.maxstring, _BRIEF.maxother = 60, 60
