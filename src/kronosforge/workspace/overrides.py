"""Where each value comes from: the command line, else the environment, else the config file, else the default."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from kronosforge.config import ModelConfig, validate
from kronosforge.core.bars import series
from kronosforge.core.errors import ConfigError, UsageError
from kronosforge.core.i18n import tr


class Knob(NamedTuple):
    """A value of the config that the command line and the environment can set."""

    key: str  # path in ModelConfig
    flag: str
    variable: str | None


KNOBS = [
    Knob("timeframes", "--timeframes", "KRONOS_TIMEFRAMES"),
    Knob("instruments", "--symbols", None),
    Knob("records_per_timeframe", "--records-per-timeframe", "KRONOS_RECORDS_PER_TF"),
    Knob("since", "--since", None),
    Knob("until", "--until", None),
    Knob("dataset_path", "--output-dir", "KRONOS_OUTPUT_DIR"),
    Knob("source.name", "--source", "KRONOS_SOURCE"),
    Knob("source.url", "--url", "KRONOS_OKX_URL"),
    Knob("train.init", "--init", None),
    Knob("train.size", "--size", None),
    Knob("train.tokenizer", "--tokenizer", "KRONOS_TOKENIZER_PATH"),
    Knob("train.predictor", "--predictor", "KRONOS_PREDICTOR_PATH"),
    Knob("train.freeze_tokenizer", "--freeze-tokenizer", None),
    Knob("train.lora", "--lora", None),
    Knob("train.epochs", "--epochs", None),
    Knob("train.batch_size", "--batch-size", None),
    Knob("train.device", "--device", None),
    Knob("train.precision", "--precision", None),
    Knob("train.seed", "--seed", None),
    Knob("forecast.seed", "--seed", None),
    Knob("forecast.samples", "--samples", None),
    Knob("forecast.temperature", "--temperature", None),
    Knob("forecast.top_p", "--top-p", None),
    Knob("forecast.top_k", "--top-k", None),
    Knob("forecast.quantiles", "--quantiles", None),
    Knob("dataset.predict", "--horizon", None),
    Knob("evaluate.stride", "--stride", None),
    Knob("evaluate.samples", "--samples", None),
]


_FILE, _DEFAULT = ("config file", "配置文件"), ("default", "默认值")


class Found(NamedTuple):
    """A knob's value and who gave it."""

    value: Any
    origin: str


class Resolved(NamedTuple):
    """A config as it will be used, and for each dotted key the place that its value came from."""

    config: ModelConfig
    origins: dict[str, str]

    @property
    def overridden(self) -> set[str]:
        """The dotted keys whose value came from the command line or the environment."""
        unchanged = {tr(*_FILE), tr(*_DEFAULT)}
        return {key for key, origin in self.origins.items() if origin not in unchanged}


def resolve(config: ModelConfig, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Resolved:
    """Lay flags over environment over the config file over the defaults.

    `flags` maps a knob's flag to its value, None where it was not given. Raises ConfigError or UsageError.
    """
    if flags.get("--since") and flags.get("--records-per-timeframe"):
        raise UsageError(
            tr(
                "--since and --records-per-timeframe exclude each other; give one of them",
                "--since 与 --records-per-timeframe 不能同时使用;请只给一个",
            )
        )
    values = config.model_dump(exclude_unset=True)
    origins = dict(_origins(config))
    given = {knob.key: found for knob in KNOBS if (found := _given(knob, flags, environ)) is not None}
    source = given["source.name"].value if "source.name" in given else config.source.name
    if source != "okx" and not flags.get("--url"):
        given.pop("source.url", None)  # KRONOS_OKX_URL is OKX's address, and nobody else's
    series = {key: given.pop(key) for key in ("timeframes", "instruments") if key in given}
    if series:
        codes = series["timeframes"].value if "timeframes" in series else config.timeframes
        instruments = series["instruments"].value if "instruments" in series else config.instruments
        values["target_symbols"] = [f"{instrument}_{code}" for instrument in instruments for code in codes]
        values["timeframe"] = codes[0]
        _narrow_calendars(values)
        origins["target_symbols"] = origins["timeframe"] = ", ".join(found.origin for found in series.values())
    for key, found in given.items():
        section, _, name = key.rpartition(".")
        (values.setdefault(section, {}) if section else values)[name] = found.value
        origins[key] = found.origin
    if flags.get("--records-per-timeframe") and values.pop("since", None):
        origins["since"] = tr("put aside by", "被取代:") + " --records-per-timeframe"
    return Resolved(validate(values, tr("flags and environment", "命令行与环境变量")), origins)


def _narrow_calendars(values: dict[str, Any]) -> None:
    """Leave out the calendars of series that the command line or the environment left out."""
    calendar = values.get("clean", {}).get("calendar")
    if isinstance(calendar, dict):
        keys = {"*", *values["target_symbols"], *(series(key).instrument for key in values["target_symbols"])}
        values["clean"]["calendar"] = {key: name for key, name in calendar.items() if key in keys}


def _given(knob: Knob, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Found | None:
    if (value := flags.get(knob.flag)) is not None:
        return Found(value, f"{tr('command line', '命令行')} {knob.flag}")
    if knob.variable and (text := environ.get(knob.variable, "").strip()):
        return Found(_read(knob, text), f"{tr('environment', '环境变量')} {knob.variable}")
    return None


def _read(knob: Knob, text: str) -> Any:
    if knob.key == "timeframes":
        return [code.strip() for code in text.split(",")]
    if knob.key != "records_per_timeframe":
        return text
    try:
        return int(text)
    except ValueError:
        raise ConfigError(
            tr(
                f"{knob.variable}: found {text!r}; allowed: a whole number of bars",
                f"{knob.variable}:值为 {text!r};应为整数(K线根数)",
            )
        ) from None


def _origins(section: BaseModel, prefix: str = "", path_given: bool = True) -> Iterator[tuple[str, str]]:
    for name in type(section).model_fields:
        value, given = getattr(section, name), path_given and name in section.model_fields_set
        if isinstance(value, BaseModel):
            yield from _origins(value, f"{prefix}{name}.", given)
        else:
            yield f"{prefix}{name}", tr(*(_FILE if given else _DEFAULT))


def explain(resolved: Resolved) -> list[tuple[str, str, str]]:
    """(key, value, origin) of every knob, in the config's own order."""
    return [(key, str(_value(resolved.config, key)), origin) for key, origin in resolved.origins.items()]


def _value(config: BaseModel, key: str) -> Any:
    for part in key.split("."):
        config = getattr(config, part)
    return config
