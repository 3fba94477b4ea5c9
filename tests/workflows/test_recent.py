"""The newest bars of a model's series: from which source they come."""

import json
from pathlib import Path

import pytest

from kronosforge.config import DatasetConfig, ModelConfig, SourceConfig
from kronosforge.core.errors import DataError
from kronosforge.workflows.prepare import prepare
from kronosforge.workflows.recent import with_dataset_source
from kronosforge.workspace.overrides import resolve
from kronosforge.workspace.paths import dataset_folders

CONFIG = ModelConfig(
    name="m",
    model_name="M",
    target_symbols=["BTC-USDT-SWAP_4H"],
    records_per_timeframe=400,
    dataset=DatasetConfig(lookback=20, predict=5),
)


@pytest.fixture(scope="module")
def workspace(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose dataset was made with `--source files:DIR`, while its config names OKX."""
    root = tmp_path_factory.mktemp("workspace")
    config = resolve(CONFIG, {"--source": f"files:{shared / 'data' / 'okx'}"}, {}).config
    prepare(config, dataset_folders(config, root, copy=False), {})
    return root


def source(
    root: Path, config: ModelConfig = CONFIG, environ: dict[str, str] | None = None, **flags: str
) -> SourceConfig:
    given = {f"--{name}": value for name, value in flags.items()}
    return with_dataset_source(resolve(config, given, environ or {}), root).source


def test_the_dataset_s_own_source_is_the_default(workspace: Path, shared: Path) -> None:
    assert source(workspace).name == f"files:{shared / 'data' / 'okx'}"


def test_how_its_files_are_read_comes_with_it(workspace: Path, tmp_path: Path) -> None:
    summary = json.loads((workspace / CONFIG.dataset_path / "data_summary.json").read_text())
    summary["config"]["source"] |= {"label": "close", "timezone": "Asia/Shanghai"}
    folder = tmp_path / CONFIG.dataset_path
    folder.mkdir(parents=True)
    (folder / "data_summary.json").write_text(json.dumps(summary))
    assert (source(tmp_path).label, source(tmp_path).timezone) == ("close", "Asia/Shanghai")


def test_a_source_on_the_command_line_or_in_the_environment_wins(workspace: Path) -> None:
    assert source(workspace, source="bybit").name == "bybit"
    assert source(workspace, environ={"KRONOS_SOURCE": "binance"}).name == "binance"


def test_okx_s_address_in_the_environment_does_not_send_a_model_of_files_to_okx(workspace: Path) -> None:
    assert source(workspace, environ={"KRONOS_OKX_URL": "https://example.org"}).name.startswith("files:")


def test_this_machine_s_proxy_is_not_the_dataset_s(workspace: Path) -> None:
    config = CONFIG.model_copy(update={"source": SourceConfig(proxy="http://127.0.0.1:7890")})
    assert source(workspace, config).proxy == "http://127.0.0.1:7890"


def test_without_a_dataset_the_config_decides(tmp_path: Path) -> None:
    assert source(tmp_path).name == "okx"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"config": {"source": {"name": 3}}}', b"\xff"])
def test_a_damaged_summary_is_named(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / CONFIG.dataset_path
    folder.mkdir(parents=True)
    (folder / "data_summary.json").write_bytes(content)
    with pytest.raises(
        DataError,
        match=r"data_summary\.json (cannot be used: .*--force|does not say where .* prepare the dataset again)",
    ):
        source(tmp_path)
