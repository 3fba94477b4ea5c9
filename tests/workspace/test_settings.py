"""The settings as they are read from the source of config.py are those that pydantic knows."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from kronosforge.config import ModelConfig
from kronosforge.workspace.settings import SETTINGS, fields, given_flags, similar_settings, spelled


def pydantic_fields(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from pydantic_fields(field.annotation, f"{prefix}{name}.")
        elif prefix + name != "name":
            yield prefix + name, field


DECLARED = dict(pydantic_fields(ModelConfig))


def test_every_setting_is_read_in_the_config_s_order() -> None:
    assert list(fields()) == list(DECLARED)


@pytest.mark.parametrize("key", DECLARED)
def test_help_default_and_type_are_those_of_the_config(key: str) -> None:
    field, declared = fields()[key], DECLARED[key]
    assert field.help == " ".join((declared.description or "").split()).rstrip(".").replace("`", "")
    assert arguments(field.default) == ([] if declared.is_required() else arguments(declared.default))
    parts = list(parts_of(declared.annotation))
    assert (field.type in parts) or field.choices
    assert field.choices == tuple(part for part in parts if part not in ("int", "float", "bool", "str", *SHAPES))
    assert (field.optional, field.mapping) == ("NoneType" in parts, "dict" in parts)
    assert field.many == bool({"list", "tuple"} & set(parts))


def arguments(default: object) -> list[object]:
    """The parts of a default, numbers as such; none where there is no literal."""
    if default in (None, PydanticUndefined):
        return []
    parts = default if isinstance(default, list | tuple) else str(default).split()
    return [float(part) if str(part).replace(".", "").isdecimal() else part for part in parts]


SHAPES = ("NoneType", "dict", "list", "tuple")


def parts_of(annotation: Any) -> Iterator[str]:
    """Names of the types, and the choices, that an annotation consists of."""
    if origin := get_origin(annotation):
        yield from [origin.__name__] if origin in (list, tuple, dict) else []
        inside = () if origin is dict else get_args(annotation)[: 1 if origin is Annotated else None]
        for part in inside:
            yield from parts_of(part)
    else:
        yield annotation if isinstance(annotation, str) else annotation.__name__


def test_each_flag_and_variable_names_a_setting() -> None:
    keys = {setting.key for setting in SETTINGS} - {"timeframes", "instruments"}
    assert keys <= fields().keys()


def test_the_flags_of_a_command_line_can_be_spelled_again() -> None:
    flags = given_flags(
        {"epochs": 3, "freeze_tokenizer": True, "quantiles": [0.1, 0.9], "set": ["train.patience=2"], "device": None}
    )
    assert flags == {
        "--epochs": 3,
        "--freeze-tokenizer": True,
        "--quantiles": [0.1, 0.9],
        "--set": ["train.patience=2"],
    }
    arguments = "--freeze-tokenizer --epochs 3 --quantiles 0.1 0.9 --set train.patience=2"
    assert spelled(flags) == arguments.split()


@pytest.mark.parametrize(
    ("key", "similar"),
    [
        ("epochs", ["train.epochs"]),
        ("train.epoch", ["train.epochs"]),
        ("train.stride", ["evaluate.stride"]),
        ("trian.epochs", ["train.epochs"]),
        ("temprature", ["forecast.temperature", "evaluate.temperature"]),
        ("Train.Epochs", ["train.epochs"]),
        ("xyzzy", []),
    ],
)
def test_a_misspelt_key_suggests_what_it_may_mean(key: str, similar: list[str]) -> None:
    assert similar_settings(key) == similar
