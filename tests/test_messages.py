"""The catalogue: every message is translated, none is stale, and the compiled file is what the text file says."""

import gettext
import re
import sys
from io import BytesIO
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po

from kronosforge.core.i18n import LOCALE, Message, MessageList, _, localized

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = Path(LOCALE) / "zh" / "LC_MESSAGES" / "kronosforge.po"
SUFFIXES = (".py", ".md", ".html", ".css", ".js", ".sh", ".toml")
CHINESE = re.compile("[\u3400-\u9fff\uff00-\uffef]")
# Documents in Chinese or in both languages, and tests of wide characters; the Chinese names of columns are data.
IN_CHINESE = (
    *("data/", "logs/", "outputs/"),  # of a checkout that is a workspace as well
    *("README.zh-CN.md", "README_KRONOS.md", "KRONOS_DATA_GUIDE.md", "KRONOS_MULTI_MODEL_GUIDE.md", "docs/zh/"),
    *("Kronos/finetune/README_MULTI_MODEL.md", "src/kronosforge/workspace/template/README.md"),
    *("src/kronosforge/source/files/columns.py", "tests/"),
)
NAME = "中文"  # of the language, on the way to the Chinese version

sys.path.insert(0, str(ROOT / "tools"))
import messages as tool  # noqa: E402


def placeholders(text: str) -> set[tuple[str, str, str]]:
    """(name, format, conversion) of each placeholder."""
    return {(name, spec or "", conversion or "") for _text, name, spec, conversion in Formatter().parse(text) if name}


@pytest.fixture(scope="module")
def catalogue() -> dict[str, str]:
    with CATALOGUE.open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file, locale="zh") if message.id}


def test_every_message_is_translated_and_none_is_stale(catalogue: dict[str, str]) -> None:
    used = {message for message, _file in tool.messages()}
    assert {message for message in used if not catalogue.get(message)} == set()
    assert catalogue.keys() - used == set()


def test_messages_of_templates_are_collected_with_and_without_values() -> None:
    template = '{{ say("{count} bars", count=n) }}{% if say("bar") %}{{ other("no message") }}{% endif %}'
    assert list(tool.in_template(template)) == ["{count} bars", "bar"]


def test_no_translation_is_fuzzy() -> None:
    with CATALOGUE.open("rb") as file:
        assert [message.id for message in read_po(file, locale="zh") if message.id and message.fuzzy] == []


def test_a_translation_has_the_placeholders_of_its_message(catalogue: dict[str, str]) -> None:
    formatted = {message: text for message, text in catalogue.items() if placeholders_or_none(message)}
    assert {message: text for message, text in formatted.items() if placeholders(message) != placeholders(text)} == {}


def placeholders_or_none(message: str) -> set[tuple[str, str, str]] | None:
    """None for a text with braces that are no placeholders, such as the help of `clean.calendar`."""
    try:
        return placeholders(message)
    except ValueError:
        return None


def test_the_compiled_catalogue_is_current(catalogue: dict[str, str]) -> None:
    with CATALOGUE.open("rb") as file:
        assert CATALOGUE.with_suffix(".mo").read_bytes() == tool.compiled(read_po(file, locale="zh"))
    translations = gettext.GNUTranslations(BytesIO(CATALOGUE.with_suffix(".mo").read_bytes()))
    assert {message: translations.gettext(message) for message in catalogue} == catalogue


def test_chinese_is_in_the_catalogue_and_the_chinese_documents_alone() -> None:
    places = []
    for path in ROOT.rglob("*"):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix not in SUFFIXES or name.startswith((".", *IN_CHINESE)):
            continue
        lines = path.read_text("utf-8").replace(NAME, "").splitlines()
        places += [f"{name}:{number}" for number, line in enumerate(lines, 1) if CHINESE.search(line)]
    assert places == []


def test_a_message_is_translated_when_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message("{head}; {comparisons}.", head=Message("no edge"), comparisons=MessageList(["a", "b"], "; "))
    assert message.both() == {"en": "no edge; a; b.", "zh": "无优势；a；b。"}
    for language, text in message.both().items():
        monkeypatch.setenv("KRONOS_LANG", language)
        assert (str(message), localized(message.both())) == (text, text)


def test_a_message_without_values_keeps_its_braces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_LANG", "zh")
    assert _("set {this} to }") == "set {this} to }"
    assert str(Message("{text}", text="{not a placeholder}")) == "{not a placeholder}"
