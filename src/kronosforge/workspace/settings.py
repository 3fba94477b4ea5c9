"""The settings of a model as the command line offers them. Imports nothing heavy.

The fields are read from the source of config.py, because importing it loads pydantic, which takes longer than `--help`.
"""

from __future__ import annotations

import os
import re
from functools import cache

from kronosforge.core.suggestions import closest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "config.py")
SET = "--set"


class Setting:
    """A setting with a flag or an environment variable of its own; every other one is reached by `--set`."""

    def __init__(self, key: str, flag: str = "", variable: str = "") -> None:
        self.key = key  # path in ModelConfig; `timeframes` and `instruments` make up `target_symbols`
        self.flag = flag
        self.variable = variable


SETTINGS = (
    Setting("timeframes", "--timeframes", "KRONOS_TIMEFRAMES"),
    Setting("instruments", "--symbols"),
    Setting("records_per_timeframe", "--records-per-timeframe", "KRONOS_RECORDS_PER_TF"),
    Setting("since", "--since"),
    Setting("until", "--until"),
    Setting("dataset_path", "--output-dir", "KRONOS_OUTPUT_DIR"),
    Setting("source.name", "--source", "KRONOS_SOURCE"),
    Setting("source.url", variable="KRONOS_OKX_URL"),
    Setting("train.init", "--init"),
    Setting("train.size", "--size"),
    Setting("train.tokenizer", "--tokenizer", "KRONOS_TOKENIZER_PATH"),
    Setting("train.predictor", "--predictor", "KRONOS_PREDICTOR_PATH"),
    Setting("train.freeze_tokenizer", "--freeze-tokenizer"),
    Setting("train.lora", "--lora"),
    Setting("train.epochs", "--epochs"),
    Setting("train.batch_size", "--batch-size"),
    Setting("train.device", "--device"),
    Setting("train.precision", "--precision"),
    Setting("train.seed", "--seed"),
    Setting("forecast.seed", "--seed"),
    Setting("forecast.samples", "--samples"),
    Setting("forecast.temperature", "--temperature"),
    Setting("forecast.top_p", "--top-p"),
    Setting("forecast.top_k", "--top-k"),
    Setting("forecast.quantiles", "--quantiles"),
    Setting("dataset.predict", "--horizon"),
    Setting("evaluate.stride", "--stride"),
    Setting("evaluate.samples", "--samples"),
)


def given_flags(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Flag → value of every setting that a parsed command line gives; `--set` → a list of `key=value`.

    `arguments` are the attributes of the parsed Namespace: `vars(namespace)`.
    """
    flags = [*dict.fromkeys(setting.flag for setting in SETTINGS if setting.flag), SET]
    values = {flag: arguments.get(flag.strip("-").replace("-", "_")) for flag in flags}
    return {flag: value for flag, value in values.items() if value is not None}


def spelled(flags: Mapping[str, Any]) -> list[str]:
    """The flags of `given_flags` as words of a command line."""
    arguments: list[str] = []
    for flag, value in flags.items():
        if flag == SET:
            arguments += [word for text in value for word in (SET, text)]
        elif isinstance(value, list):
            arguments += [flag, *map(str, value)]
        else:
            arguments += [flag] if value is True else [flag, str(value)]
    return arguments


def similar_settings(key: str) -> list[str]:
    """The settings that a misspelt key may mean: the same name in another section, else the most similar names."""
    by_name: dict[str, list[str]] = {}
    for setting in fields():
        by_name.setdefault(setting.rpartition(".")[2], []).append(setting)
    name = key.rpartition(".")[2].lower()
    return (
        by_name.get(name)
        or closest(key, fields())
        or [setting for similar in closest(name, by_name) for setting in by_name[similar]]
    )


class Field:
    """One setting as config.py declares it."""

    def __init__(self, annotation: str, default: str, help_text: str) -> None:
        self.help = help_text.rstrip(".").replace("`", "")  # one line of plain text
        self.default = default  # as text; empty where there is none, or none that could be shown
        self.choices = tuple(re.findall(r'"(\w+)"', annotation))
        kind = re.search(r"\b(int|float|bool)\b", annotation)
        self.type = kind[0] if kind and not self.choices else "str"
        self.optional = annotation.endswith("| None")
        self.many = re.match(r"(Annotated\[)?(list|tuple)\[", annotation) is not None
        self.mapping = "dict[" in annotation  # a dict is allowed, too


@cache
def fields() -> dict[str, Field]:
    """Dotted key → field, for every setting of ModelConfig that may be changed, in its order.

    `name` is left out: it follows from the config file's name.
    """
    with open(SOURCE, encoding="utf-8") as file:
        source = file.read()
    sections = {name: (base, body) for name, base, body in _SECTION.findall(source)}
    constants = dict(_CONSTANT.findall(source))
    settings = dict(_fields("ModelConfig", "", sections, constants))
    del settings["name"]
    return settings


# config.py's own layout, held by its formatter: `    name: annotation = default`, then the docstring.
_SECTION = re.compile(r"^class (\w+)\((\w+)\):\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r'^    (\w+): ([^\n]+?)(?: = ([^\n]+))?\n(?:    """(.*?)"""\n)?', re.MULTILINE | re.DOTALL)
_CONSTANT = re.compile(r"^(\w+) = (.+)$", re.MULTILINE)


def _fields(
    section: str, prefix: str, sections: Mapping[str, tuple[str, str]], constants: Mapping[str, str]
) -> Iterator[tuple[str, Field]]:
    base, body = sections[section]
    if base in sections:
        yield from _fields(base, prefix, sections, constants)
    for name, annotation, default, docstring in _FIELD.findall(body):
        if annotation in sections:
            yield from _fields(annotation, f"{prefix}{name}.", sections, constants)
        else:
            spelled_out = re.sub(r"\w+", lambda word: constants.get(word[0], word[0]), annotation)
            shown = _shown(constants.get(default, default))
            yield prefix + name, Field(spelled_out, shown, " ".join(docstring.split()))


def _shown(default: str) -> str:
    """A literal as people write it on a command line: without quotes and brackets."""
    return "" if default == "None" or default.startswith("Field(") else re.sub(r'[][()"]|,(?= )', "", default)
