"""Collect the program's messages, merge them into the Chinese catalogue and compile it: `make messages`.

A new or changed message stands in the catalogue without a translation until somebody writes one; what the program no
longer says is dropped. With `--check` nothing is written, and the exit code is 1 where the catalogue is not current.
"""

import argparse
import ast
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

from kronosforge.core.i18n import LOCALE
from kronosforge.workspace.settings import fields

PACKAGE = Path(LOCALE).parent
CATALOGUE = Path(LOCALE) / "zh" / "LC_MESSAGES" / "kronosforge.po"
FUNCTIONS = ("_", "Message", "say")  # their first argument is a message
SEPARATORS = (", ", "; ", " or ")  # of MessageList


HEADER = b"""# Chinese messages of kronosforge; made by `make messages`, translated by hand.
msgid ""
msgstr ""
"Language: zh\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


def messages() -> Iterator[tuple[str, str]]:
    """(message, file) of everything that the program says: calls in code and templates, and the help of each setting."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from ((message, path.relative_to(PACKAGE).as_posix()) for message in in_code(path.read_text("utf-8")))
    for path in sorted(PACKAGE.rglob("*.html")):
        yield from ((message, path.relative_to(PACKAGE).as_posix()) for message in in_template(path.read_text("utf-8")))
    for field in fields().values():
        yield field.help, "config.py"
    for separator in SEPARATORS:
        yield separator, "core/i18n.py"


def in_code(source: str) -> Iterator[str]:
    """The messages in Python code. Babel's own extraction does not look inside f-strings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and node.args:
            message = node.args[0]
            if isinstance(message, ast.Constant) and message.value:
                yield str(message.value)


def in_template(source: str) -> Iterator[str]:
    """The messages in a Jinja2 template. Raises TemplateSyntaxError."""
    for call in Environment(autoescape=True).parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in FUNCTIONS and call.args:
            message = call.args[0]
            if isinstance(message, nodes.Const) and message.value:
                yield str(message.value)


def merged(old: Catalog) -> Catalog:
    """The messages of today with the translations that `old` has for them."""
    new = Catalog(locale="zh", project="kronosforge", fuzzy=False, charset="utf-8")
    for message, file in sorted(messages(), key=lambda pair: (pair[1], pair[0])):
        translated = old.get(message)
        new.add(message, translated.string if translated else "", locations=[(file, None)])
    return new


def written(catalogue: Catalog) -> bytes:
    """The catalogue as a .po file, the same bytes for the same messages."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=120, omit_header=True, include_lineno=False)
    return HEADER + buffer.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """The catalogue as a .mo file."""
    buffer = io.BytesIO()
    catalogue = read_po(io.BytesIO(written(catalogue)), locale="zh")
    catalogue.creation_date = datetime(
        2026, 1, 1, tzinfo=UTC
    )  # Babel writes one: the same messages give the same bytes
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def main() -> int:
    """Write or check the catalogue; 1 where it was to be checked and is not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, and fail where the catalogue is not current"
    )
    check = parser.parse_args().check
    with CATALOGUE.open("rb") as file:
        catalogue = merged(read_po(file, locale="zh"))
    untranslated = [str(message.id) for message in catalogue if message.id and not message.string]
    for message in untranslated:
        print(f"no translation: {message!r}", file=sys.stderr)
    outputs = {CATALOGUE: written(catalogue), CATALOGUE.with_suffix(".mo"): compiled(catalogue)}
    stale = [path for path, content in outputs.items() if not path.exists() or path.read_bytes() != content]
    if check:
        for path in stale:
            print(f"not current: {path}; run make messages", file=sys.stderr)
        return int(bool(stale or untranslated))
    for path in stale:
        path.write_bytes(outputs[path])
    return int(bool(untranslated))


if __name__ == "__main__":
    sys.exit(main())
