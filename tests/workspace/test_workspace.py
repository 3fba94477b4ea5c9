"""Finding, listing and loading model configs."""

import re
from pathlib import Path

import pytest

from kronosforge.config import ModelConfig
from kronosforge.core.errors import ConfigError, UsageError
from kronosforge.workspace.discovery import find_root, list_configs
from kronosforge.workspace.loading import ConfigManager, environment, load_config
from kronosforge.workspace.scaffold import lay
from tests.workspace.commented_config import commented_config

MODEL_C = """
from kronosforge.config import DatasetConfig, ModelConfig

config = ModelConfig(
    model_name="Model_C_1H",
    target_symbols=["BTC-USDT-SWAP_1H", "ETH-USDT-SWAP_1H"],
    records_per_timeframe=8000,
    dataset=DatasetConfig(lookback=240, predict=24),
)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    lay(tmp_path)
    return tmp_path


def put(workspace: Path, name: str, text: str) -> str:
    path = workspace / "Kronos" / "finetune" / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_models_a_and_b_are_what_the_guide_says() -> None:
    manager = ConfigManager()
    a, b = manager.load_config("model_a_4h"), manager.load_config("model_b_1d")
    swaps = ["BTC-USD-SWAP", "BTC-USDT-SWAP", "ETH-USDT-SWAP"]
    assert (a.instruments, a.timeframes, a.dataset.window) == (swaps, ["4H"], 101)
    assert (b.instruments, b.timeframes, b.dataset.window) == (swaps, ["1D"], 136)
    assert (a.records_per_timeframe, b.records_per_timeframe) == (2000, 3000)
    assert a.get_model_info()["dataset_path"] == "data/kronos_datasets/model_a_4h"


@pytest.mark.parametrize("name", ConfigManager().list_available_configs())
def test_every_shipped_config_loads_and_is_listed_as_it_loads(name: str) -> None:
    listed = {row["name"]: row for row in list_configs(find_root())}[name]
    loaded = load_config(name)
    assert (listed["model_name"], listed["target_symbols"]) == (loaded.model_name, loaded.target_symbols)


def test_a_new_model_is_one_new_file(workspace: Path) -> None:
    put(workspace, "config_model_C_1H.py", MODEL_C)
    manager = ConfigManager(str(workspace))
    assert "model_c_1h" in manager.list_available_configs()
    config = manager.load_config("model_c_1h")
    assert (config.dataset.window, config.dataset_path) == (265, "data/kronos_datasets/model_c_1h")


def test_a_listing_runs_no_config(workspace: Path) -> None:
    put(workspace, "config_model_bomb.py", "raise SystemExit('ran')\nconfig = ModelConfig(model_name='Bomb')")
    assert {row["name"]: row for row in list_configs(str(workspace))}["model_bomb"]["model_name"] == "Bomb"


def test_an_upstream_style_class_loads_too(workspace: Path) -> None:
    put(
        workspace,
        "config_model_flat.py",
        "class Config:\n    def __init__(self):\n        self.model_name = 'Flat'\n"
        "        self.target_symbols = ['BTC-USDT-SWAP_4H']\n        self.lookback_window = 60\n"
        "        self.predict_window = 5\n        self.clip = 4.0\n        self.batch_size = 50\n",
    )
    config = ConfigManager(str(workspace)).load_config("model_flat")
    assert (config.dataset.lookback, config.dataset.predict, config.dataset.clip) == (60, 5, 4.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (:", r"line 1: SyntaxError"),
        ("x = 1", r"no `config = ModelConfig"),
        (
            "import pydantic\nclass Any(pydantic.BaseModel):\n    x: int\nAny(x='y')",
            "x: found 'y'; Input should be a valid",
        ),
        ("raise SystemExit('stop')", "SystemExit: stop"),
        ("class Config:\n    def __init__(self):\n        raise KeyError('lookback')", "KeyError: 'lookback'"),
        (
            MODEL_C.replace("records_per", "record_per"),
            r"record_per_timeframe: unknown key; allowed: .*records_per_timeframe",
        ),
        (MODEL_C.replace("8000", "0"), r"records_per_timeframe: found 0; .*greater than or equal to 1"),
        (MODEL_C.replace("8000", '"many"'), r"records_per_timeframe: found 'many'"),
        (
            MODEL_C.replace("USDT-SWAP_1H", "USDT/SWAP_1H"),
            r"target_symbols: 'BTC-USDT/SWAP' is not a valid instrument id",
        ),
        (MODEL_C.replace("lookback=240", "lookbak=240"), r"lookbak: unknown key; allowed: lookback, predict, clip"),
        (
            "from kronosforge.config import EvaluateConfig\nconfig = EvaluateConfig(top=1)",
            r"top: unknown key; allowed: samples, temperature, top_p, top_k, seed, stride, replicates",
        ),
        (MODEL_C.replace('["BTC-USDT-SWAP_1H", "ETH-USDT-SWAP_1H"]', "[]"), r"target_symbols: found \[\]"),
        (MODEL_C.replace("ETH-USDT-SWAP_1H", "BTC-USDT-SWAP_1H"), r"stands twice"),
    ],
)
def test_a_wrong_config_names_file_key_found_and_allowed(workspace: Path, text: str, message: str) -> None:
    path = put(workspace, "config_model_bad.py", text)
    with pytest.raises(ConfigError, match=message) as error:
        ConfigManager(str(workspace)).load_config("model_bad")
    assert str(error.value).startswith("Configuration validation failed: ")
    assert path in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_the_known_ones(workspace: Path) -> None:
    with pytest.raises(ConfigError, match=r"no model 'model_z' \(available: .*model_a_4h, model_b_1d\)"):
        ConfigManager(str(workspace)).load_config("model_z")


SPELLINGS = (
    "model_a_4h",
    "Model_A_4H",
    "config_model_a_4h",
    "config_model_A_4H.py",
    "config_model_a_4h.py",
    "Kronos/finetune/config_model_A_4H.py",
    "Kronos/finetune/config_model_A_4H",
    "Kronos/finetune/config_model_a_4h.py",
)


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("folder", [".", "Kronos/finetune", "data"])
def test_a_model_s_name_may_be_spelt_in_every_usual_way(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str, folder: str
) -> None:
    (workspace / "data").mkdir()
    monkeypatch.chdir(workspace / folder)
    assert load_config(name).name == load_config(name, str(workspace)).name == "model_a_4h"


def test_a_file_of_another_kind_does_not_hide_a_model(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "model_a_4h").write_text("notes", "utf-8")
    monkeypatch.chdir(workspace)
    assert load_config("model_a_4h").name == "model_a_4h"


def test_a_path_relative_to_the_current_folder_or_absolute_is_a_name_too(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(workspace, "config_model_C_1H.py", MODEL_C)
    monkeypatch.chdir(workspace / "Kronos")
    assert load_config("finetune/config_model_C_1H.py").name == "model_c_1h"
    assert load_config(path).name == "model_c_1h"


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("model_a_4", "model_a_4h"),
        ("Modell_A_4H", "model_a_4h"),
        ("config_model_b1d.py", "model_b_1d"),
        ("Kronos/finetun/config_model_A_4H.py", "model_a_4h"),
    ],
)
def test_a_misspelt_model_name_gets_a_suggestion(workspace: Path, name: str, similar: str) -> None:
    with pytest.raises(ConfigError, match=rf"did you mean {similar}\b.*\?"):
        load_config(name, str(workspace))


def test_two_files_whose_names_differ_in_case_alone_are_refused_by_name(workspace: Path) -> None:
    put(workspace, "config_model_a_4H.py", MODEL_C)
    for refused in (lambda: load_config("model_b_1d", str(workspace)), lambda: list_configs(str(workspace))):
        with pytest.raises(ConfigError, match=r"config_model_A_4H\.py and config_model_a_4H\.py .* model_a_4h"):
            refused()


def test_the_workspace_is_found_from_any_folder_inside(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = workspace / "Kronos" / "finetune"
    monkeypatch.chdir(inside)
    assert Path(find_root()) == workspace
    assert load_config("model_a_4h").name == "model_a_4h"


def test_outside_any_workspace_the_script_s_own_place_counts(
    workspace: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert Path(find_root(script=str(workspace / "prepare_kronos_data_simple.py"))) == workspace
    with pytest.raises(UsageError, match="kronosforge init"):
        find_root()


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    own_config = tmp_path / "Kronos" / "finetune" / "config_default.py"
    own_config.parent.mkdir(parents=True)
    own_config.write_text("mine", "utf-8")
    written, kept = lay(tmp_path)
    assert own_config.read_text("utf-8") == "mine"
    assert kept == [Path("Kronos/finetune/config_default.py")]
    assert Path("prepare_kronos_data_simple.py") in written


def test_init_writes_a_readme_a_gitignore_and_a_config_with_every_setting(tmp_path: Path) -> None:
    lay(tmp_path)
    readme = (tmp_path / "README.md").read_text("utf-8")
    for command in ("prepare", "train", "evaluate"):
        assert readme.count(f"kronosforge {command} --") == 2  # in English and in Chinese
    ignored = (tmp_path / ".gitignore").read_text("utf-8").splitlines()
    assert {".env", "/data/", "/outputs/", "/logs/"} <= set(ignored)
    written = (tmp_path / "Kronos" / "finetune" / "config_default.py").read_text("utf-8")
    assert written == commented_config(), (
        "run python -m tests.workspace.commented_config > Kronos/finetune/config_default.py"
    )


def test_the_commented_lines_of_the_default_config_are_its_defaults(tmp_path: Path) -> None:
    lay(tmp_path)
    default = tmp_path / "Kronos" / "finetune" / "config_default.py"
    spelled_out = re.sub(r"# (\w+=.+,)$", r"\1", default.read_text("utf-8"), flags=re.MULTILINE)
    assert spelled_out.count("# ") < default.read_text("utf-8").count("# ")
    before = load_config(str(default))
    default.write_text(spelled_out, "utf-8")
    assert load_config(str(default)) == before


def test_the_environment_wins_over_the_env_file(workspace: Path) -> None:
    (workspace / ".env").write_text("KRONOS_SOURCE=bybit\nKRONOS_OUTPUT_DIR=there\n", "utf-8")
    values = environment(str(workspace), {"KRONOS_SOURCE": "okx"})
    assert (values["KRONOS_SOURCE"], values["KRONOS_OUTPUT_DIR"]) == ("okx", "there")


def test_entries_without_a_bar_take_the_model_s_timeframe() -> None:
    config = ModelConfig(model_name="x", timeframe="1H", target_symbols=["BTC-USDT-SWAP", "ETH_USDT", "SOL-USDT_1D"])
    assert [str(s) for s in config.series] == ["BTC-USDT-SWAP_1H", "ETH_USDT_1H", "SOL-USDT_1D"]


def test_an_env_file_that_is_not_utf_8_is_named(workspace: Path) -> None:
    (workspace / ".env").write_bytes(b"KRONOS_SOURCE=\xff\n")
    with pytest.raises(ConfigError, match=r"cannot read .*\.env: 'utf-8' codec"):
        environment(str(workspace), {})


def test_a_current_folder_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match="no longer exists"):
        find_root()
