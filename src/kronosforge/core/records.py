"""JSON files that a stage left, read back as typed records: what is wrong with a broken one is said in one line."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from kronosforge.core.errors import KronosForgeError
from kronosforge.core.i18n import _


class Record(BaseModel):
    """The content of a file. Keys that are not known yet are kept; known ones have the type that is written."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    _content: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """The whole file, in its own order of keys."""
        return self._content


R = TypeVar("R", bound=Record)


def read_record(path: Path, kind: type[R], error: type[KronosForgeError], remedy: str) -> R:
    """The record in the file at `path`.

    Raises `error` that names the file, what is wrong with it, and the command that makes it anew: `remedy`.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        record = kind.model_validate(content)
        record._content = content
    except (OSError, ValueError, RecursionError) as problem:
        raise error(
            _(
                "{path} cannot be used: {reason}; make it anew with: {remedy}",
                path=path,
                reason=reason(problem),
                remedy=remedy,
            )
        ) from None
    return record


def reason(problem: Exception) -> str:
    """What is wrong with a file, in a few words."""
    if isinstance(problem, ValidationError):
        first: Any = problem.errors()[0]
        key = ".".join(map(str, first["loc"])) or _("the whole file")
        return _("{key}: {msg}", key=key, msg=first["msg"])
    if isinstance(problem, UnicodeDecodeError):
        return _("it is not UTF-8 text")
    if isinstance(problem, json.JSONDecodeError):
        return _("it is not JSON (line {lineno}: {msg})", lineno=problem.lineno, msg=problem.msg)
    return str(getattr(problem, "strerror", None) or problem)
