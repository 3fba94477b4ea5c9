"""A dataset whose files are damaged: one line that names the file, what is wrong, and the command that makes it anew."""

import json
import shutil
from pathlib import Path

import pytest

from kronosforge.config import DatasetConfig, ModelConfig, SourceConfig
from kronosforge.core.errors import DataError, KronosForgeError
from kronosforge.dataset.loader import Windows
from kronosforge.dataset.manifest import damage, read_manifest, refuse_damaged
from kronosforge.dataset.verify import verify
from kronosforge.workflows.existing import existing
from kronosforge.workflows.prepare import PreparedDataset, prepare
from kronosforge.workspace.paths import dataset_folders

pytest.importorskip("torch", reason="opening windows needs torch")

CONFIG = ModelConfig(
    name="m",
    model_name="M",
    target_symbols=["BTC-USDT-SWAP_4H"],
    records_per_timeframe=200,
    source=SourceConfig(name="sandbox"),
    dataset=DatasetConfig(lookback=8, predict=2),
)
FILES = [
    "data_summary.json", "train_data.pkl", "native/index.json", "native/train/candles.npy", "native/train/time.npy",
]  # fmt: skip
DAMAGE = {
    "emptied": lambda content: b"",
    "cut short": lambda content: content[: len(content) // 2],
    "a list": lambda content: b"[]",
    "not UTF-8": lambda content: b"\xff\xfe\x00" + content[3:],
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    root = tmp_path_factory.mktemp("damage")
    return prepare(CONFIG, dataset_folders(CONFIG, root, copy=False), {})


@pytest.fixture
def dataset(prepared: PreparedDataset, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared.folder, tmp_path / "d"))


def test_a_whole_dataset_is_read(dataset: Path) -> None:
    manifest = read_manifest(dataset, "m")
    assert (manifest.model_name, manifest.windows.keys()) == ("M", {"train", "val", "test"})
    assert manifest.content == json.loads((dataset / "data_summary.json").read_text())
    assert existing(dataset, CONFIG) == manifest


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_no_damage_is_an_internal_error_or_goes_unseen(dataset: Path, name: str, damage: str) -> None:
    path = dataset / name
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    failed = [check for check in verify(dataset) if not check.ok]
    assert failed
    if name != "train_data.pkl" and not (name.endswith(".npy") and damage == "not UTF-8"):
        with pytest.raises(KronosForgeError) as error:
            read_manifest(dataset, "m")
            Windows.open(dataset, "train", CONFIG.dataset)
        assert path.stem in str(error.value) or path.parent.name in str(error.value)
        assert "\n" not in str(error.value)
    if damage != "not UTF-8" or name == "data_summary.json":  # of the same size: its content is what `verify` checks
        with pytest.raises(DataError, match="--force"):
            existing(dataset, CONFIG)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fingerprint": None}, "fingerprint: Input should be a valid string"),
        ({"windows": {"train": "many"}}, "windows.train: Input should be a valid integer"),
        ({"files": [{}]}, "files.0.filename: Field required"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(dataset: Path, change: dict[str, object], reason: str) -> None:
    path = dataset / "data_summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError) as error:
        read_manifest(dataset, "m")
    assert str(error.value) == (
        f"{path} cannot be used: {reason}; make it anew with: python prepare_kronos_data_simple.py --config m --force"
    )


@pytest.mark.parametrize("name", ["native/train/candles.npy", "native/index.json", "train_data.pkl"])
def test_a_file_with_another_content_is_named(dataset: Path, name: str) -> None:
    path = dataset / name
    path.write_bytes(path.read_bytes()[::-1])
    manifest = read_manifest(dataset, "m")
    assert damage(dataset, manifest) == f"{name} has another content than the one recorded"
    with pytest.raises(DataError, match="has another content"):
        existing(dataset, CONFIG)


def test_training_and_evaluation_read_nothing_but_whole_arrays(dataset: Path) -> None:
    manifest = read_manifest(dataset, "m")
    (dataset / "train_data.pkl").unlink()  # upstream's: ours do not read it
    refuse_damaged(dataset, manifest, "m")
    (dataset / "native" / "val" / "time.npy").unlink()
    with pytest.raises(DataError, match=r"native/val/time.npy cannot be read \(No such file.*--config m --force"):
        refuse_damaged(dataset, manifest, "m")


def test_a_report_that_was_edited_is_no_damage(dataset: Path) -> None:
    (dataset / "report.html").write_text("")
    assert damage(dataset, read_manifest(dataset, "m")) == ""
