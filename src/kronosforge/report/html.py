"""The few shapes of HTML that the page is made of. Text is escaped here, at the leaves, and nowhere else."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from kronosforge.core.bars import iso
from kronosforge.core.i18n import LANGUAGES, Message, MessageList

Html = Markup
Instant = int | str


def text(value: object) -> Html:
    """`value` as text."""
    return escape(str(value))


def say(message: str | Message, /, **values: object) -> Html:
    """The message in every language; the page shows the reader's. A value that is Html keeps its elements."""
    message = Message(message, **values) if isinstance(message, str) else message
    return _spans({language: _filled(message, language) for language in LANGUAGES})


def words(value: object) -> Html:
    """A text that a stage left: one string for both languages, or {en, zh}."""
    if isinstance(value, Mapping):
        return _spans({language: text(value.get(language, "")) for language in LANGUAGES})
    return text(value)


def _filled(message: Message, language: str) -> Html:
    if isinstance(message, MessageList) or not message.values:
        return text(message.translated(language))
    return text(message.template(language)).format(**message.values_in(language))  # escapes what is not Html


def _spans(texts: Mapping[str, Html]) -> Html:
    return Html("".join(f'<span lang="{language}">{content}</span>' for language, content in texts.items()))


def code(value: object) -> Html:
    """`value` in the typewriter face: keys, digests, instants."""
    return Html(f"<code>{text(value)}</code>")


def number(value: int) -> Html:
    """`5,056`."""
    return Html(f"{value:,}")


def when(value: Instant | None) -> Html:
    """`2026-01-31 16:00`, UTC as everywhere on the page; from ISO 8601 or ms."""
    if value is None:
        return Html("–")
    stamp = iso(value) if isinstance(value, int) else value
    return Html(f"<time>{text(stamp.replace('T', ' ').removesuffix('Z').removesuffix('+00:00'))}</time>")


def join(parts: Iterable[Html], separator: str = "") -> Html:
    """The parts, one after another; `separator` is HTML."""
    return Html(separator.join(parts))


class Column(NamedTuple):
    """A table's column: its head, and a class for its cells: `n` for numbers, `wide` for sentences."""

    head: Html
    kind: str = ""


def table(columns: Sequence[Column], rows: Sequence[Sequence[Html]], total: Sequence[Html] = ()) -> Html:
    """A table that scrolls inside its own box where the screen is narrow; `total` is its last, summing row."""
    head = join(Html(f'<th scope="col"{_class(c)}>{c.head}</th>') for c in columns)
    body = join(Html(f"<tr>{_cells(columns, row)}</tr>") for row in rows)
    foot = f"<tfoot><tr>{_cells(columns, total)}</tr></tfoot>" if total else ""
    return Html(
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table></div>'
    )


def _cells(columns: Sequence[Column], row: Sequence[Html]) -> Html:
    return join(Html(f"<td{_class(c)}>{cell}</td>") for c, cell in zip(columns, row, strict=True))


def _class(column: Column) -> str:
    return f' class="{column.kind}"' if column.kind else ""


def facts(pairs: Iterable[tuple[Html, Html]]) -> Html:
    """A list of names and what they stand for."""
    items = join(Html(f"<div><dt>{name}</dt><dd>{value}</dd></div>") for name, value in pairs)
    return Html(f"<dl>{items}</dl>")


def section(name: str, heading: Html, *body: Html) -> Html:
    """A part of the page that can be linked to as `#name`."""
    return Html(f'<section id="{name}"><h2>{heading}</h2>{join(body)}</section>')


def paragraph(body: Html, kind: str = "") -> Html:
    """A paragraph."""
    return Html(f"<p{_class(Column(Html(''), kind))}>{body}</p>")


def decimal(value: object, places: int, factor: float = 1) -> Html:
    """`−1,234.50`; `–` where there is no finite number."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return Html("–")
    return Html(f"{factor * value:,.{places}f}".replace("-", "−"))


def note(body: Html) -> Html:
    """A paragraph said aside."""
    return paragraph(body, "note")


def command(line: str) -> Html:
    """A line to be typed."""
    return Html(f'<pre class="scroll command" tabindex="0">{text(line)}</pre>')


def folded(heading: Html, *body: Html) -> Html:
    """What is shown when it is asked for."""
    return Html(f"<details><summary>{heading}</summary>{join(body)}</details>")
