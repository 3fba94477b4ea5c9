"""The language of console messages: English, or Chinese where the locale or KRONOS_LANG says so."""

import os


def language() -> str:
    """`zh` or `en`: KRONOS_LANG first, then the POSIX order LC_ALL, LC_MESSAGES, LANG.

    A KRONOS_LANG that is neither Chinese nor English is ignored; a locale of another language means English.
    """
    chosen = os.environ.get("KRONOS_LANG", "").strip().lower()
    if chosen.startswith(("zh", "en")):
        return chosen[:2]
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name, ""):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def tr(english: str, chinese: str) -> str:
    """The one of the two texts that the user reads. Both stand at the call, so that neither is forgotten."""
    return chinese if language() == "zh" else english


class Text:
    """A sentence in both languages: what is stored and shown later, maybe to somebody else, keeps both."""

    def __init__(self, english: str, chinese: str) -> None:
        self.en, self.zh = english, chinese

    def __str__(self) -> str:
        return tr(self.en, self.zh)

    def __repr__(self) -> str:
        return f"Text({self.en!r}, {self.zh!r})"

    def both(self) -> dict[str, str]:
        """As JSON: `{"en": …, "zh": …}`."""
        return {"en": self.en, "zh": self.zh}
