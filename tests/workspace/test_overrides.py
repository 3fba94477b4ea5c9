"""Command line over environment over config file over default."""

import pytest

from kronosforge.config import ModelConfig
from kronosforge.core.errors import ConfigError, UsageError
from kronosforge.workspace.overrides import KNOBS, explain, resolve

CONFIG = ModelConfig(model_name="M", target_symbols=["A_4H", "B_4H"], records_per_timeframe=700)

# knob → (flag's value, environment's text and value)
GIVEN = {
    "records_per_timeframe": (11, "22", 22),
    "dataset_path": ("cli", "env", "env"),
    "source.name": ("bybit", "binance", "binance"),
}


def value(config: ModelConfig, key: str) -> object:
    found: object = config
    for part in key.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("knob", [k for k in KNOBS if k.key in GIVEN], ids=lambda k: k.key)
def test_each_source_wins_over_the_ones_below(knob) -> None:
    flag, text, read = GIVEN[knob.key]
    environ = {knob.variable: text}
    assert value(resolve(CONFIG, {knob.flag: flag}, environ).config, knob.key) == flag
    assert value(resolve(CONFIG, {}, environ).config, knob.key) == read
    assert value(resolve(CONFIG, {}, {}).config, knob.key) == value(CONFIG, knob.key)


def test_explain_names_every_knob_and_its_origin() -> None:
    resolved = resolve(CONFIG, {"--since": "2025-01-01"}, {"KRONOS_SOURCE": "bybit"})
    origins = {key: origin for key, _, origin in explain(resolved)}
    assert origins["since"] == "command line --since"
    assert origins["source.name"] == "environment KRONOS_SOURCE"
    assert origins["records_per_timeframe"] == "config file"
    assert origins["dataset_path"] == origins["clean.holes"] == "default"


def test_timeframes_mean_every_instrument_at_each_of_them() -> None:
    resolved = resolve(CONFIG, {"--timeframes": ["4H", "1D"]}, {"KRONOS_TIMEFRAMES": "1H"})
    assert resolved.config.target_symbols == ["A_4H", "A_1D", "B_4H", "B_1D"]


def test_symbols_and_timeframes_go_together() -> None:
    resolved = resolve(CONFIG, {"--symbols": ["C"]}, {"KRONOS_TIMEFRAMES": "1H, 1D"})
    assert resolved.config.target_symbols == ["C_1H", "C_1D"]
    assert resolved.origins["target_symbols"] == "environment KRONOS_TIMEFRAMES, command line --symbols"


def test_calendars_of_series_that_are_left_out_are_left_out_too() -> None:
    clean = {"calendar": {"A": "XSHG", "B_4H": "XNYS", "*": "24/7"}}
    config = ModelConfig(model_name="M", target_symbols=["A_4H", "B_4H"], clean=clean)
    assert resolve(config, {"--symbols": ["A"]}, {}).config.clean.calendar == {"A": "XSHG", "*": "24/7"}
    assert resolve(config, {}, {"KRONOS_TIMEFRAMES": "1D"}).config.clean.calendar == {"A": "XSHG", "*": "24/7"}


def test_records_on_the_command_line_put_the_file_s_since_aside() -> None:
    config = ModelConfig(model_name="M", target_symbols=["A_4H"], since="2024-01-01")
    assert resolve(config, {"--records-per-timeframe": 5}, {}).config.since is None


def test_since_and_records_together_are_refused() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        resolve(CONFIG, {"--since": "2025-01-01", "--records-per-timeframe": 5}, {})


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"KRONOS_RECORDS_PER_TF": "many"}, "whole number"),
        ({"KRONOS_TIMEFRAMES": "4h"}, "unknown bar"),
        ({"KRONOS_TIMEFRAMES": ","}, "timeframe: found .*allowed"),
    ],
)
def test_a_wrong_environment_is_a_config_error(environ: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        resolve(CONFIG, {}, environ)


@pytest.mark.parametrize(("name", "url"), [("okx", "https://eea.okx.com"), ("binance", None), ("sandbox", None)])
def test_okx_s_address_is_nobody_else_s(name: str, url: str | None) -> None:
    resolved = resolve(CONFIG, {"--source": name}, {"KRONOS_OKX_URL": "https://eea.okx.com"})
    assert resolved.config.source.url == url
