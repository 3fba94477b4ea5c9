"""Checks the values of a config, and says in one line what is wrong with which setting."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from kronosforge import config
from kronosforge.config import ModelConfig
from kronosforge.core.errors import ConfigError
from kronosforge.core.suggestions import closest, did_you_mean

NOTHING: Mapping[str, str] = MappingProxyType({})


def validate(values: dict[str, Any], where: str = "", set_by: Mapping[str, str] = NOTHING) -> ModelConfig:
    """Build a ModelConfig. Raises ConfigError that names `where`, the key, what set it, its value and what is allowed."""
    try:
        return ModelConfig.model_validate(values)
    except ValidationError as error:
        raise config_error(error, where, set_by) from None


def config_error(error: ValidationError, where: str, set_by: Mapping[str, str] = NOTHING) -> ConfigError:
    """Pydantic's error about a section as ours: `where`, and each wrong setting with its value and what is allowed."""
    text = "; ".join(_reasons(error, getattr(config, error.title, None), set_by))
    return ConfigError(f"{where}: {text}" if where else text)


def _reasons(error: ValidationError, section: object, set_by: Mapping[str, str]) -> Iterator[str]:
    """One text for each wrong setting. Where a setting may have several types, their reasons stand together."""
    heads: dict[str, list[str]] = {}
    for details in error.errors():
        # A default that could not be made follows from another error, which is listed already.
        if details["type"] != "default_factory_not_called":
            head, reason = _head_and_reason(details, section, set_by)
            _name, flag, set_by_flag = head.partition(" (")
            if flag and any(
                other.endswith(flag + set_by_flag) and reason in heads[other] for other in heads if other != head
            ):
                continue  # one flag sets several settings, and is named once
            heads.setdefault(head, []).append(reason)
    yield from (head + " or ".join(reasons) for head, reasons in heads.items())


def _head_and_reason(details: Any, section: object, set_by: Mapping[str, str]) -> tuple[str, str]:
    path, allowed = _path(details["loc"], section)
    key = ".".join(path or map(str, details["loc"]))
    if details["type"] == "extra_forbidden":
        name = str(details["loc"][-1])
        similar = did_you_mean(closest(name, allowed))
        return f"{'.'.join([*path, name])}: ", f"unknown key; allowed: {', '.join(allowed)}{similar}"
    if details["type"] == "missing":
        return f"{key}: ", "missing"
    head = f"{key} ({set_by[key]}): " if key in set_by else f"{key}: " * bool(key)
    reason = details.get("ctx", {}).get("error")
    if isinstance(reason, ConfigError):  # its text quotes the value
        return head, reason.detail
    text = details["msg"].removeprefix("Value error, ")
    if isinstance(details["input"], dict) and reason:  # a rule of a whole section, whose text names the settings
        return head, text
    return f"{head}found {details['input']!r}; ", text


def _path(location: tuple[str | int, ...], section: object) -> tuple[list[str], list[str]]:
    """The sections and the setting that a location leads through, and the names that are allowed where it ends.

    Pydantic appends the place within the value, and for a union the type that was tried; neither is a setting.
    """
    path: list[str] = []
    for part in location:
        if part not in _fields(section):
            break
        path.append(str(part))
        section = _fields(section)[part].annotation
    return path, list(_fields(section))


def _fields(section: object) -> dict[Any, FieldInfo]:
    """The fields of a section; nothing for the type of a setting."""
    return section.model_fields if isinstance(section, type) and issubclass(section, BaseModel) else {}
