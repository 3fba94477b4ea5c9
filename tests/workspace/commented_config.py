"""Writes the config that lists every setting: python -m tests.workspace.commented_config > Kronos/finetune/config_default.py"""

import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kronosforge.config import ModelConfig

INDENT = " " * 4
WIDTH = 110
# The settings that this config gives; all others stand behind a `#`, with their defaults.
GIVEN: dict[str, Any] = {
    "model_name": "Default",
    "description": "BTC-USDT-SWAP at 4H, 90 + 10 bars",
    "timeframe": "4H",
    "target_symbols": ["BTC-USDT-SWAP_4H"],
    "records_per_timeframe": 2000,
}


def commented_config() -> str:
    """A config file with every setting of ModelConfig, its docstring above it and its default behind it."""
    sections = [field.annotation.__name__ for field in ModelConfig.model_fields.values() if _is_section(field)]
    return "\n".join(
        [
            '"""Every setting of a model and its default: a new model starts as a copy of this file.',
            "",
            "A line `# name=value,` shows a default. Remove its `#` to change the setting.",
            '"""',
            "",
            "from kronosforge.config import (",
            *(f"{INDENT}{name}," for name in sorted([*sections, "ModelConfig"])),
            ")",
            "",
            "config = ModelConfig(",
            *_settings(ModelConfig, INDENT),
            ")",
            "",
        ]
    )


def _settings(section: type[BaseModel], indent: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if section is ModelConfig and name == "name":
            continue  # follows from the file's name
        if _is_section(field):
            assert field.annotation is not None
            yield f"{indent}# {field.annotation.__doc__}"
            yield f"{indent}{name}={field.annotation.__name__}("
            yield from _settings(field.annotation, indent + INDENT)
            yield f"{indent}),"
            continue
        assert field.description, f"{section.__name__}.{name} has no docstring"
        for line in textwrap.wrap(field.description, WIDTH - len(indent)):
            yield f"{indent}# {line}"
        if name in GIVEN:
            yield f"{indent}{name}={_spelled(GIVEN[name])},"
        else:
            yield f"{indent}# {name}={_spelled(_default(field))},"


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _default(field: FieldInfo) -> object:
    return field.get_default(call_default_factory=True, validated_data={"name": "default"})


def _spelled(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value).replace("'", '"')


if __name__ == "__main__":
    print(commented_config(), end="")
