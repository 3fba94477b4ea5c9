"""JSON files that a stage left, read back as typed records: what is wrong with a broken one is said in one line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from kronosforge.core.errors import KronosForgeError
from kronosforge.core.i18n import Message, _


class Record(BaseModel):
    """The content of a file. Keys that are not known yet are kept; known ones have the type that is written."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    _content: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def current(cls, content: Any) -> Any:
        """The JSON of a file as today's version writes it, where an older version wrote `content`."""
        return content

    @property
    def content(self) -> dict[str, Any]:
        """The whole file, in its own order of keys."""
        return self._content


R = TypeVar("R", bound=Record)


def read_record(path: Path, kind: type[R], error: type[KronosForgeError], remedy: str) -> R:
    """The record in the file at `path`.

    Raises `error` that names the file, what is wrong with it, and the command that recreates it: `remedy`.
    """
    with damage_named(path, error, remedy):
        return parsed_record(json.loads(path.read_text("utf-8")), kind)


def parsed_record(content: Any, kind: type[R]) -> R:
    """The record with `content`, the value of a JSON text. Raises ValueError."""
    content = kind.current(content)
    record = kind.model_validate(content)
    record._content = content
    return record


@contextmanager
def damage_named(path: Path, error: type[KronosForgeError], remedy: str) -> Iterator[None]:
    """Turn what the reading of `path` raises into `error`, as `read_record` does."""
    try:
        yield
    except (OSError, ValueError, RecursionError) as problem:
        raise error(
            _(
                "{path} cannot be used: {reason}; recreate it with: {remedy}",
                path=path,
                reason=reason(problem),
                remedy=remedy,
            )
        ) from None


def reason(problem: Exception) -> Message:
    """What is wrong with a file, in a few words."""
    if isinstance(problem, ValidationError):
        return field_problem(problem.errors()[0])
    if isinstance(problem, UnicodeDecodeError):
        return Message("it is not UTF-8 text")
    if isinstance(problem, json.JSONDecodeError):
        return Message("it is not JSON (line {lineno}: {msg})", lineno=problem.lineno, msg=problem.msg)
    if problem.args and isinstance(problem.args[0], Message):
        return problem.args[0]
    return Message("{text}", text=getattr(problem, "strerror", None) or problem)


def field_problem(error: Any) -> Message:
    """What is wrong with a field; `error` is one of pydantic's `ValidationError.errors()`."""
    key = ".".join(map(str, error["loc"])) or Message("the whole file")
    return Message("{key}: {msg}", key=key, msg=error["msg"])
