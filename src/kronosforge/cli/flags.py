"""Flags that set a model's settings: their type, choices, default and help come from `ModelConfig`."""

from __future__ import annotations

from kronosforge.core.i18n import _
from kronosforge.workspace.settings import SET, SETTINGS, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import _ActionsContainer
    from typing import Any

    from kronosforge.workspace.settings import Field

TYPES = {"int": int, "float": float}
METAVARS = {"int": "N", "float": "X"}

# What the flag's value is called, where it is not a plain number.
VALUES = {
    "since": "TIME",
    "until": "TIME",
    "dataset_path": "DIR",
    "source.name": "SOURCE",
    "train.tokenizer": "DIR|ID",
    "train.predictor": "DIR|ID",
    "train.device": "DEVICE",
    "train.lora": "R",
    "forecast.temperature": "T",
    "forecast.top_p": "P",
    "forecast.top_k": "K",
    "forecast.quantiles": "Q",
}


def add_setting(parser: _ActionsContainer, key: str) -> None:
    """Add the flag of a setting, as `ModelConfig` declares it."""
    flag = next(setting.flag for setting in SETTINGS if setting.key == key)
    parser.add_argument(flag, **_options(key, fields()[key]))


def add_set(parser: _ActionsContainer) -> None:
    """Add `--set`, which reaches every setting."""
    parser.add_argument(
        SET,
        metavar="SECTION.FIELD=VALUE",
        action="append",
        help=_("set any setting of the config, such as train.patience=5; may be repeated"),
    )


def _options(key: str, field: Field) -> dict[str, Any]:
    options: dict[str, Any] = {"help": _help(key, field)}
    if field.type == "bool":
        return options | {"action": "store_const", "const": True}
    if field.many:
        options["nargs"] = "+"
    if field.choices:
        return options | {"choices": field.choices}
    return options | {"metavar": VALUES.get(key) or METAVARS[field.type], "type": TYPES.get(field.type, str)}


def _help(key: str, field: Field) -> str:
    text = _(field.help)
    if field.default and field.type != "bool":
        text += _(" (default: {default})", default=field.default)
    return text.replace("%", "%%")
