"""The settings as they are read from the source of config.py are those that pydantic knows."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

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
    assert field.help == " ".join((declared.description or "").split())
    if declared.default_factory is None and not declared.is_required():
        assert field.default == declared.default
    types, choices, optional, many, mapping = shape(declared.annotation)
    assert field.type in types or (mapping and field.type == "str")
    assert (field.choices, field.optional, field.many, field.mapping) == (choices, optional, many, mapping)


def shape(annotation: Any) -> tuple[set[str], tuple[str, ...], bool, bool, bool]:
    """Names of the types, the choices, and whether None, several values or a dict are allowed."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is NoneType:
        return set(), (), True, False, False
    if origin is Annotated:
        return shape(arguments[0])
    if origin is Literal:
        return {"str"}, arguments, False, False, False
    if origin is dict:
        return set(), (), False, False, True
    if origin in (list, tuple):
        types, choices, optional, _, mapping = shape(arguments[0])
        return types, choices, optional, True, mapping
    if origin in (Union, UnionType):
        parts = [shape(argument) for argument in arguments]
        flags = [any(part[i] for part in parts) for i in (2, 3, 4)]
        return set().union(*(part[0] for part in parts)), max(part[1] for part in parts), *flags  # type: ignore[return-value]
    return {annotation.__name__}, (), False, False, False


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
    words = "--freeze-tokenizer --epochs 3 --quantiles 0.1 0.9 --set train.patience=2"
    assert spelled(flags) == words.split()


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
