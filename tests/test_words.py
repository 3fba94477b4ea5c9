"""One word for one thing: no name that says nothing, and no term that the glossary has replaced."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "src" / "kronosforge" / "locale" / "zh" / "LC_MESSAGES" / "kronosforge.po"
PYTHON = [
    *ROOT.glob("*.py"),
    *(path for folder in ("src", "tests", "benchmarks", "tools", "Kronos") for path in (ROOT / folder).rglob("*.py")),
]
DOCUMENTS = [path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/en/*.md")) if path.name != "CHANGELOG.md"]

TEXTS = (".py", ".html", ".js", ".css")
SOURCES = [path for path in (ROOT / "src").rglob("*") if path.suffix in TEXTS and "vendor" not in path.parts]

VAGUE = {"found", "one", "told", "said", "known", "there", "more", "words", "mine", "theirs", "_one"}
FORMER_TERMS = re.compile(
    r"\b(holes?|knobs?|anew|aloud|stretch(es)?|put aside|cannot be had|cannot be told|word for word|lay a workspace"
    r"|is no series key|judge[sd]? nothing|goes on with|go on with|whoever)\b",
    re.IGNORECASE,
)
# Where the readers of older files and the accepted alias spell it: `holes`, "hole", clean.holes, holes=holes.
FORMER_SPELLINGS = re.compile(
    r"[`\"]holes?[`\"]|clean\.holes|holes is the former name|holes \{holes!r\}|holes=holes|holes, gaps = |holes != gaps"
)
FORMER_KEYS = re.compile(r"\b(holes|knobs|origins\.(exchange|derived|filled)|pretrained)\b")


def names(path: Path) -> Iterator[tuple[str, int]]:
    """(name, line) of every variable, parameter, function and class that a module defines."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_name_says_what_it_holds(path: Path) -> None:
    assert not [f"{name}, line {line}" for name, line in names(path) if name.lower() in VAGUE]


def test_no_message_holds_a_former_term() -> None:
    with CATALOGUE.open("rb") as file:
        messages = [str(message.id) for message in read_po(file, locale="zh") if message.id]
    assert len(messages) > 500
    assert not [text for text in messages if FORMER_TERMS.search(FORMER_SPELLINGS.sub("", text))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_line_holds_a_former_term(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert not [line.strip() for line in lines if FORMER_TERMS.search(FORMER_SPELLINGS.sub("", line))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_holds_a_former_term(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert not [line for line in lines if FORMER_TERMS.search(FORMER_SPELLINGS.sub("", line))]


def test_no_json_key_is_a_former_one() -> None:
    keys = json.loads((ROOT / "tests" / "golden" / "values.json").read_text("utf-8"))["json keys"]
    assert keys
    assert not [key for printed in keys.values() for key in printed if FORMER_KEYS.search(key)]


def test_chinese_messages_have_chinese_punctuation() -> None:
    with CATALOGUE.open("rb") as file:
        texts = [str(message.string) for message in read_po(file, locale="zh") if message.id]
    assert not [text for text in texts if re.search(r"[\u4e00-\u9fff][,;:!?](?!//)|[,;!?] ?[\u4e00-\u9fff]", text)]
