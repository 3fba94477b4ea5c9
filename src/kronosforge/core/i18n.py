"""Messages in the reader's language: English, or Chinese where the locale or KRONOS_LANG says so.

The English text is a message's id, and locale/zh/LC_MESSAGES/kronosforge.po holds its translation: gettext's way, so that
Babel extracts and compiles the catalogue (`make messages`).
"""

import gettext
import os
from collections.abc import Iterable, Mapping
from functools import cache

LANGUAGES = ("en", "zh")
LOCALE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "locale")


def language() -> str:
    """`zh` or `en`: KRONOS_LANG first, then the POSIX order LC_ALL, LC_MESSAGES, LANG.

    A KRONOS_LANG that is neither Chinese nor English is ignored; a locale of another language means English.
    """
    chosen = os.environ.get("KRONOS_LANG", "").strip().lower()
    if chosen.startswith(LANGUAGES):
        return chosen[:2]
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name, ""):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("kronosforge", LOCALE, [language], fallback=language == "en")


class Message:
    """A message that is translated when it is shown: it may be stored, and read later in another language.

    `message` is the English text, with `{placeholders}` as in `str.format` for `values`. A value may be a message itself.
    """

    def __init__(self, message: str, /, **values: object) -> None:
        self.message, self.values = message, values

    def __str__(self) -> str:
        return self.translated(language())

    def __repr__(self) -> str:
        values = "".join(f", {name}={value!r}" for name, value in self.values.items())
        return f"Message({self.message!r}{values})"

    def translated(self, language: str) -> str:
        """The message in `language`, `en` or `zh`."""
        template = self.template(language)
        return template.format(**self.values_in(language)) if self.values else template

    def template(self, language: str) -> str:
        """The message in `language` with its placeholders; a message without values is a text, braces and all."""
        return _catalogue(language).gettext(self.message) if self.message else ""  # the id "" is gettext's own

    def values_in(self, language: str) -> dict[str, object]:
        """The values, those that are messages in `language`."""
        return {name: _translated(value, language) for name, value in self.values.items()}

    def both(self) -> dict[str, str]:
        """As JSON: `{"en": …, "zh": …}`."""
        return {language: self.translated(language) for language in LANGUAGES}


class MessageList(Message):
    """Messages, or texts of no language, one after the other, with `separator` between them."""

    def __init__(self, items: Iterable[object], separator: str = ", ") -> None:
        super().__init__(separator)
        self.items = list(items)

    def translated(self, language: str) -> str:
        """The items in `language`, `en` or `zh`."""
        return self.template(language).join(str(_translated(item, language)) for item in self.items)


def _translated(value: object, language: str) -> object:
    return value.translated(language) if isinstance(value, Message) else value


def _(message: str, /, **values: object) -> str:
    """`message` in the reader's language, its `{placeholders}` filled with `values`."""
    return str(Message(message, **values))


def localized(texts: Mapping[str, str]) -> str:
    """Of `{"en": …, "zh": …}`, as `Message.both` writes it, the text that the reader reads."""
    return texts[language()]
