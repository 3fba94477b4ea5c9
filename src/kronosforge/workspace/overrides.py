"""What a setting's value is: the command line's, else the environment's, else the config file's, else the default."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from kronosforge.config import FORMER_NAMES, ModelConfig, SourceConfig
from kronosforge.core.addresses import without_password
from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _
from kronosforge.core.suggestions import did_you_mean
from kronosforge.workspace.settings import SET, SETTINGS, Field, fields, similar_settings
from kronosforge.workspace.validation import validate

SERIES = ("timeframes", "instruments")  # together they make up `target_symbols`


class Override(NamedTuple):
    """A value that the command line or the environment gives to a setting."""

    value: Any
    name: str  # of the flag or the variable
    set_by: str  # such as `command line --epochs`


class Resolved(NamedTuple):
    """A config as it will be used, and for each dotted key what set its value."""

    config: ModelConfig
    set_by: dict[str, str]
    overridden: frozenset[str]  # the keys that the command line or the environment set


def resolve(config: ModelConfig, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Resolved:
    """Apply the flags and the environment to a config.

    `flags` is what `settings.given_flags` returns: flag → value. Raises ConfigError for a value that is not allowed,
    UsageError for flags that exclude each other and for an unknown key of `--set`.
    """
    by_flag, by_set = _from_flags(flags), _from_set(flags.get(SET) or ())
    _refuse_conflicts(by_flag, by_set)
    overrides = _from_environment(environ) | by_flag
    overrides = _with_series(overrides, config) | by_set
    if "source.url" not in by_set:
        overrides = _without_address_of_another(overrides, config.source)
    values = config.model_dump(exclude_unset=True)
    if "target_symbols" in overrides:
        _narrow_calendars(values, [str(key) for key in overrides["target_symbols"].value])
    set_by = dict(_file_or_default(config))
    if "records_per_timeframe" in by_flag | by_set and "since" not in by_set and values.pop("since", None):
        set_by["since"] = _("overridden by") + f" {overrides['records_per_timeframe'].name}"
    for key, override in overrides.items():
        section, _dot, name = key.rpartition(".")
        (values.setdefault(section, {}) if section else values)[name] = override.value
        set_by[key] = override.set_by
    overriding = {key: override.set_by for key, override in overrides.items()}
    return Resolved(validate(values, set_by=overriding), set_by, frozenset(overriding))


def resolve_source(name: str | None, environ: Mapping[str, str]) -> SourceConfig:
    """The source where there is no model: `name`, which is `--source`, else the environment's, else the default."""
    given = {} if name is None else {"--source": name}
    overrides = _without_address_of_another(_from_environment(environ) | _from_flags(given), SourceConfig())
    section, names = "source.", SourceConfig.model_fields
    return SourceConfig(**{field: overrides[section + field].value for field in names if section + field in overrides})


class ExplainedSetting(NamedTuple):
    """One row of --explain."""

    key: str
    value: Any  # as JSON has it
    set_by: str


def explain(resolved: Resolved) -> list[ExplainedSetting]:
    """Every setting with its value and what set it, in the config's own order."""
    values = resolved.config.model_dump(mode="json")
    rows = [(key, _value(values, key), set_by) for key, set_by in resolved.set_by.items()]
    return [
        ExplainedSetting(key, without_password(value) if isinstance(value, str) else value, set_by)
        for key, value, set_by in rows
    ]


def _from_flags(flags: Mapping[str, Any]) -> dict[str, Override]:
    given = [setting for setting in SETTINGS if flags.get(setting.flag) is not None]
    return {setting.key: _on_command_line(flags[setting.flag], setting.flag) for setting in given}


def _from_set(assignments: Iterable[str]) -> dict[str, Override]:
    """The overrides of every `--set section.field=value`; of two for one key, the last. Raises UsageError."""
    overrides: dict[str, Override] = {}
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition("="))
        key = FORMER_NAMES.get(name, name)
        if not equals:
            raise UsageError(
                _(
                    "{set} {assignment!r} gives no value; write {set} section.field=value, such as {set} "
                    "train.epochs=3",
                    set=SET,
                    assignment=assignment,
                )
            )
        if key not in fields():
            raise _unknown(key)
        override = _on_command_line(_read(key, text, fields()[key]), f"{SET} {name}")
        earlier = overrides.get(key, override)
        if earlier.name != override.name and earlier.value != override.value:
            raise _exclusive(earlier, override)
        overrides[key] = override
    return overrides


def _from_environment(environ: Mapping[str, str]) -> dict[str, Override]:
    overrides = {}
    for setting in SETTINGS:
        if setting.variable and (text := environ.get(setting.variable, "").strip()):
            value = _listed(text) if setting.key == "timeframes" else text
            set_by = f"{_('environment')} {setting.variable}"
            overrides[setting.key] = Override(value, setting.variable, set_by)
    return overrides


def _on_command_line(value: Any, flag: str) -> Override:
    return Override(value, flag, f"{_('command line')} {flag}")


def _refuse_conflicts(by_flag: dict[str, Override], by_set: dict[str, Override]) -> None:
    """Raise UsageError where two flags of the command line give one setting, or settings that exclude each other."""
    both = by_flag | by_set
    pairs = [(by_flag[key], by_set[key]) for key in by_flag if key in by_set]
    if "target_symbols" in by_set:
        pairs += [(by_flag[key], by_set["target_symbols"]) for key in SERIES if key in by_flag]
    if "since" in both and both["since"].value is not None and "records_per_timeframe" in both:
        pairs.append((both["since"], both["records_per_timeframe"]))
    for first, second in pairs:
        raise _exclusive(first, second)


def _exclusive(first: Override, second: Override) -> UsageError:
    return UsageError(_("{name} and {name2} exclude each other; give one of them", name=first.name, name2=second.name))


def _with_series(overrides: dict[str, Override], config: ModelConfig) -> dict[str, Override]:
    """The overrides with `timeframes` and `instruments` turned into `target_symbols`: every instrument at each bar."""
    given = {key: overrides[key] for key in SERIES if key in overrides}
    if not given:
        return overrides
    codes = given["timeframes"].value if "timeframes" in given else config.timeframes
    instruments = given["instruments"].value if "instruments" in given else config.instruments
    names = ", ".join(override.name for override in given.values())
    set_by = ", ".join(override.set_by for override in given.values())
    keys = [f"{instrument}_{code}" for instrument in instruments for code in codes]
    series = {"timeframe": Override(codes[0], names, set_by), "target_symbols": Override(keys, names, set_by)}
    return series | {key: override for key, override in overrides.items() if key not in given}


def _narrow_calendars(values: dict[str, Any], target_symbols: list[str]) -> None:
    """Leave out the config file's calendars of series and instruments that are no longer asked for."""
    calendar = values.get("clean", {}).get("calendar")
    if isinstance(calendar, dict):
        kept = {"*", *target_symbols, *(key.rpartition("_")[0] for key in target_symbols)}
        values["clean"]["calendar"] = {key: name for key, name in calendar.items() if key in kept}


def _without_address_of_another(overrides: dict[str, Override], source: SourceConfig) -> dict[str, Override]:
    """`overrides` without KRONOS_OKX_URL, where the source is not OKX."""
    name = overrides["source.name"].value if "source.name" in overrides else source.name
    return {key: override for key, override in overrides.items() if name == "okx" or key != "source.url"}


def _read(key: str, text: str, field: Field) -> Any:
    """The text of one `--set` as what pydantic then checks: JSON, None, a list, or the text itself."""
    if field.optional and text.lower() in ("", "none", "null"):
        return None
    if (field.many or field.mapping) and text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(
                _("{set} {key}: {text!r} is not JSON: {error}", set=SET, key=key, text=text[:200], error=error)
            ) from None
    return _listed(text) if field.many else text


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _unknown(key: str) -> UsageError:
    if inside := [name for name in fields() if name.startswith(f"{key}.")]:
        return UsageError(
            _(
                "{set}: {key} is a section; name one of its settings, such as {set} {inside}=…",
                set=SET,
                key=key,
                inside=inside[0],
            )
        )
    if key == "name":
        return UsageError(_("{set}: name cannot be set; a model has the name of its config file", set=SET))
    return UsageError(
        _("{set}: there is no setting {key!r}", set=SET, key=key)
        + (did_you_mean(similar_settings(key)) or _("; prepare --explain lists them all"))
    )


def _file_or_default(section: BaseModel, prefix: str = "", path_given: bool = True) -> Iterator[tuple[str, str]]:
    for name in type(section).model_fields:
        value, given = getattr(section, name), path_given and name in section.model_fields_set
        if isinstance(value, BaseModel):
            yield from _file_or_default(value, f"{prefix}{name}.", given)
        else:
            yield f"{prefix}{name}", _("config file") if given else _("default")


def _value(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values
