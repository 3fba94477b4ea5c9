"""The settings of a model as the command line offers them. Imports nothing heavy.

The fields are read from the source of config.py, because importing it loads pydantic, which takes longer than `--help`.
"""

from __future__ import annotations

import ast
import os
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
    words: list[str] = []
    for flag, value in flags.items():
        if flag == SET:
            words += [word for text in value for word in (SET, text)]
        elif isinstance(value, list):
            words += [flag, *map(str, value)]
        else:
            words += [flag] if value is True else [flag, str(value)]
    return words


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

    def __init__(self, annotation: ast.expr, default: ast.expr | None, help_text: str) -> None:
        self.help = help_text
        self.default = _literal(default)
        self.optional = False  # None is allowed
        self.many = False  # a list or a tuple of `type`
        self.mapping = False  # a dict is allowed
        self.choices: tuple[str, ...] = ()
        self.type = "str"  # int, float, bool or str
        self._read(annotation)

    def _read(self, node: ast.expr) -> None:
        if isinstance(node, ast.BinOp):
            self._read(node.right)
            self._read(node.left)
        elif isinstance(node, ast.Constant):
            self.optional = True
        elif isinstance(node, ast.Name):
            self.type = node.id
        elif isinstance(node, ast.Subscript):
            self._read_subscript(getattr(node.value, "id", ""), node.slice)

    def _read_subscript(self, name: str, inside: ast.expr) -> None:
        first = inside.elts[0] if isinstance(inside, ast.Tuple) else inside
        if name == "Literal":
            self.choices = tuple(_literal(inside)) if isinstance(inside, ast.Tuple) else (_literal(inside),)
        elif name == "dict":
            self.mapping = True
        else:
            self.many = self.many or name in ("list", "tuple")
            self._read(first)


@cache
def fields() -> dict[str, Field]:
    """Dotted key → field, for every setting of ModelConfig that may be changed, in its order.

    `name` is left out: it follows from the config file's name.
    """
    with open(SOURCE, encoding="utf-8") as file:
        body = ast.parse(file.read()).body
    sections = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    aliases = {node.targets[0].id: node.value for node in body if _is_alias(node)}  # type: ignore[attr-defined]
    settings = dict(_fields("ModelConfig", "", sections, aliases))
    del settings["name"]
    return settings


def _is_alias(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)


def _fields(
    section: str, prefix: str, sections: Mapping[str, ast.ClassDef], aliases: Mapping[str, ast.expr]
) -> Iterator[tuple[str, Field]]:
    for base in sections[section].bases:
        if isinstance(base, ast.Name) and base.id in sections:
            yield from _fields(base.id, prefix, sections, aliases)
    body = sections[section].body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        key, annotation = prefix + node.target.id, node.annotation
        if isinstance(annotation, ast.Name) and annotation.id in sections:
            yield from _fields(annotation.id, key + ".", sections, aliases)
        else:
            default = _resolved(node.value, aliases) if node.value else None
            yield key, Field(_resolved(annotation, aliases), default, _docstring(following))


def _resolved(node: ast.expr, aliases: Mapping[str, ast.expr]) -> ast.expr:
    """The annotation with names such as `Share` replaced by what they stand for."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node)
    if isinstance(node, ast.Subscript):
        node.slice = _resolved(node.slice, aliases)
    return node


def _docstring(node: ast.stmt | None) -> str:
    text = _literal(node.value) if isinstance(node, ast.Expr) else None
    return " ".join(text.split()) if isinstance(text, str) else ""


def _literal(node: ast.expr | None) -> Any:
    """The value of a literal; None for anything that takes running."""
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None
