"""Command line over environment over config file over default."""

import pytest

from kronosforge.config import CleanConfig, ModelConfig
from kronosforge.core.errors import ConfigError, UsageError
from kronosforge.workspace.overrides import explain, resolve, resolve_source
from kronosforge.workspace.settings import SETTINGS, Setting
from kronosforge.workspace.validation import validate

CONFIG = ModelConfig(model_name="M", target_symbols=["A_4H", "B_4H"], records_per_timeframe=700)

# setting → (flag's value, environment's text and value)
GIVEN = {
    "records_per_timeframe": (11, "22", 22),
    "dataset_path": ("cli", "env", "env"),
    "source.name": ("bybit", "binance", "binance"),
}


def value(config: ModelConfig, key: str) -> object:
    result: object = config
    for part in key.split("."):
        result = getattr(result, part)
    return result


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting.key in GIVEN], ids=lambda s: s.key)
def test_each_source_wins_over_the_ones_below(setting: Setting) -> None:
    flag, text, read = GIVEN[setting.key]
    environ = {setting.variable: text}
    assert value(resolve(CONFIG, {setting.flag: flag}, environ).config, setting.key) == flag
    assert value(resolve(CONFIG, {}, environ).config, setting.key) == read
    assert value(resolve(CONFIG, {}, {}).config, setting.key) == value(CONFIG, setting.key)


def test_explain_names_every_setting_and_what_set_it() -> None:
    resolved = resolve(CONFIG, {"--since": "2025-01-01"}, {"KRONOS_SOURCE": "bybit"})
    set_by = {setting.key: setting.set_by for setting in explain(resolved)}
    assert set_by["since"] == "command line --since"
    assert set_by["source.name"] == "environment KRONOS_SOURCE"
    assert set_by["records_per_timeframe"] == "config file"
    assert set_by["dataset_path"] == set_by["clean.gaps"] == "default"


def test_timeframes_mean_every_instrument_at_each_of_them() -> None:
    resolved = resolve(CONFIG, {"--timeframes": ["4H", "1D"]}, {"KRONOS_TIMEFRAMES": "1H"})
    assert resolved.config.target_symbols == ["A_4H", "A_1D", "B_4H", "B_1D"]


def test_symbols_and_timeframes_go_together() -> None:
    resolved = resolve(CONFIG, {"--symbols": ["C"]}, {"KRONOS_TIMEFRAMES": "1H, 1D"})
    assert resolved.config.target_symbols == ["C_1H", "C_1D"]
    assert resolved.set_by["target_symbols"] == "environment KRONOS_TIMEFRAMES, command line --symbols"


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
    ("environ", "complaint"),
    [
        (
            {"KRONOS_RECORDS_PER_TF": "many"},
            r"records_per_timeframe \(environment KRONOS_RECORDS_PER_TF\): found 'many'.*integer",
        ),
        ({"KRONOS_TIMEFRAMES": "4h"}, "unknown bar"),
        ({"KRONOS_TIMEFRAMES": ","}, "timeframe .environment KRONOS_TIMEFRAMES.: unknown bar ''; allowed"),
    ],
)
def test_a_wrong_environment_is_a_config_error(environ: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        resolve(CONFIG, {}, environ)


@pytest.mark.parametrize(("name", "url"), [("okx", "https://eea.okx.com"), ("binance", None), ("sandbox", None)])
def test_okx_s_address_is_nobody_else_s(name: str, url: str | None) -> None:
    resolved = resolve(CONFIG, {"--source": name}, {"KRONOS_OKX_URL": "https://eea.okx.com"})
    assert resolved.config.source.url == url


@pytest.mark.parametrize(
    ("assignment", "key", "expected"),
    [
        ("train.patience=7", "train.patience", 7),
        ("train.tokenizer_lr=1e-4", "train.tokenizer_lr", 1e-4),
        ("train.tokenizer_lr=none", "train.tokenizer_lr", None),
        ("train.compile=true", "train.compile", True),
        ("train.freeze_tokenizer=no", "train.freeze_tokenizer", False),
        ("clean.gaps=fill", "clean.gaps", "fill"),
        ("forecast.quantiles=0.1, 0.9", "forecast.quantiles", [0.1, 0.9]),
        ("forecast.quantiles=[0.1, 0.9]", "forecast.quantiles", [0.1, 0.9]),
        ("train.betas=0.8,0.9", "train.betas", (0.8, 0.9)),
        ('train.mix={"A_4H": 1, "B_4H": 2}', "train.mix", {"A_4H": 1.0, "B_4H": 2.0}),
        ("train.mix=series", "train.mix", "series"),
        ("target_symbols=C_1D,D_1D", "target_symbols", ["C_1D", "D_1D"]),
        ("source.proxy=http://127.0.0.1:1/?a=b", "source.proxy", "http://127.0.0.1:1/?a=b"),
        ("source.proxy=", "source.proxy", None),
        (" train.patience = 7 ", "train.patience", 7),
    ],
)
def test_set_reaches_every_kind_of_setting(assignment: str, key: str, expected: object) -> None:
    resolved = resolve(CONFIG, {"--set": ["train.patience=1", assignment]}, {})
    assert value(resolved.config, key) == expected
    assert resolved.set_by[key] == f"command line --set {key}"


def test_the_former_name_of_a_setting_still_works() -> None:
    resolved = resolve(CONFIG, {"--set": ["clean.holes=fill"]}, {})
    assert (resolved.config.clean.gaps, resolved.set_by["clean.gaps"]) == ("fill", "command line --set clean.holes")
    config = CONFIG.model_copy(update={"clean": CleanConfig.model_validate({"holes": "fill"})})
    assert resolve(config, {}, {}).config.clean.gaps == "fill"
    assert resolve(config, {"--set": ["clean.gaps=fail"]}, {}).config.clean.gaps == "fail"


def test_a_setting_and_its_former_name_with_different_values_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--set clean\.gaps and --set clean\.holes exclude each other"):
        resolve(CONFIG, {"--set": ["clean.gaps=fill", "clean.holes=fail"]}, {})
    assert resolve(CONFIG, {"--set": ["clean.gaps=fill", "clean.holes=fill"]}, {}).config.clean.gaps == "fill"
    values = {"model_name": "M", "target_symbols": ["A_4H"], "clean": {"gaps": "fill", "holes": "fail"}}
    with pytest.raises(
        ConfigError, match=r"config_m\.py: clean: found gaps 'fill' and holes 'fail'; .* give gaps only"
    ):
        validate(values, "config_m.py")
    assert validate({**values, "clean": {"gaps": "fill", "holes": "fill"}}).clean.gaps == "fill"


def test_set_wins_over_the_environment_and_the_config_file() -> None:
    resolved = resolve(CONFIG, {"--set": ["records_per_timeframe=5"]}, {"KRONOS_RECORDS_PER_TF": "6"})
    assert resolved.config.records_per_timeframe == 5
    resolved = resolve(CONFIG, {"--set": ["target_symbols=C_1D"]}, {"KRONOS_TIMEFRAMES": "1H"})
    assert resolved.config.target_symbols == ["C_1D"]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epoch=3", "no setting 'train.epoch'; did you mean train.epochs"),
        ("evaluate.epochs=3", "did you mean train.epochs"),
        ("train=3", "train is a section; .* train.init="),
        ("name=x", "name of its config file"),
        ("train.epochs", "gives no value; write --set section.field=value"),
        ("xyzzy=1", "prepare --explain lists them all"),
        ("forecast.quantiles=[0.1", "is not JSON"),
    ],
)
def test_a_wrong_set_is_a_usage_error(assignment: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(CONFIG, {"--set": [assignment]}, {})


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "train.epochs=0",
            r"train.epochs \(command line --set train.epochs\): found '0'; .*greater than or equal to 1",
        ),
        ("train.epochs=many", r"train.epochs \(.*\): found 'many'; .*integer"),
        ("clean.gaps=mend", r"found 'mend'; .*'split', 'fill' or 'fail'"),
        ("train.betas=0.9,x", r"train.betas \(command line --set train.betas\): found 'x'"),
        ("train.mix=[1]", r"train.mix \(.*\): found \[1\]; Input should be 'bars' or 'series' or .* valid dictionary$"),
        ("until=31/01/2025", "not a time; write 2025-01-31"),
    ],
)
def test_a_value_of_set_is_checked_like_any_other(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(CONFIG, {"--set": [assignment]}, {})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"--epochs": 3, "--set": ["train.epochs=4"]}, "--epochs and --set train.epochs exclude each other"),
        ({"--symbols": ["C"], "--set": ["target_symbols=D_4H"]}, "--symbols and --set target_symbols exclude"),
        ({"--records-per-timeframe": 3, "--set": ["since=2025-01-01"]}, "exclude each other"),
    ],
)
def test_one_setting_is_given_once_on_a_command_line(flags: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(CONFIG, flags, {})


def test_until_now_overrides_the_file_s_until() -> None:
    config = ModelConfig(model_name="M", target_symbols=["A_4H"], until="2024-01-01")
    resolved = resolve(config, {"--until": "Now"}, {})
    assert resolved.config.until is None  # the newest finished bar of the source's clock
    assert resolved.set_by["until"] == "command line --until"


@pytest.mark.parametrize(
    ("name", "environ", "expected"),
    [
        (None, {}, ("okx", None)),
        (None, {"KRONOS_SOURCE": "sandbox"}, ("sandbox", None)),
        ("binance", {"KRONOS_SOURCE": "sandbox"}, ("binance", None)),
        (None, {"KRONOS_OKX_URL": "https://eea.okx.com"}, ("okx", "https://eea.okx.com")),
        ("binance", {"KRONOS_OKX_URL": "https://eea.okx.com"}, ("binance", None)),
    ],
)
def test_the_source_without_a_model(
    name: str | None, environ: dict[str, str], expected: tuple[str, str | None]
) -> None:
    source = resolve_source(name, environ)
    assert (source.name, source.url) == expected


def test_a_value_of_set_that_is_nested_too_deep_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="is not JSON") as error:
        resolve(CONFIG, {"--set": ["target_symbols=" + "[" * 100_000]}, {})
    assert len(str(error.value)) < 1000


def test_explain_shows_no_password() -> None:
    resolved = resolve(CONFIG, {"--set": ["source.proxy=http://me:secret@host:8080"]}, {})
    shown = {setting.key: setting.value for setting in explain(resolved)}
    assert shown["source.proxy"] == "http://***@host:8080"
