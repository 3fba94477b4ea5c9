"""A dataset whose files are damaged: one line that names the file, what is wrong, and the command that recreates it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kronosforge import evaluate, train, walk_forward
from kronosforge.config import DatasetConfig, ModelConfig, SourceConfig
from kronosforge.core.errors import DataError, ExistsError, KronosForgeError, UsageError
from kronosforge.dataset.loader import Windows
from kronosforge.dataset.manifest import damage, finished_manifest, read_manifest, refuse_damaged
from kronosforge.dataset.verify import verify
from kronosforge.workflows.existing import existing
from kronosforge.workflows.plan import plan
from kronosforge.workflows.prepare import PreparedDataset, is_prepared, prepare
from kronosforge.workspace.paths import DatasetFolders, dataset_folders

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
        f"{path} cannot be used: {reason}; recreate it with: python prepare_kronos_data_simple.py --config m --force"
    )


@pytest.mark.parametrize("name", ["native/train/candles.npy", "native/index.json", "train_data.pkl"])
def test_a_file_with_another_content_is_named(dataset: Path, name: str) -> None:
    path = dataset / name
    path.write_bytes(path.read_bytes()[::-1])
    manifest = read_manifest(dataset, "m")
    assert damage(dataset, manifest) == f"{name} does not have the recorded content"
    with pytest.raises(DataError, match="does not have the recorded content"):
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


def test_a_setting_that_the_manifest_does_not_record_had_its_default(dataset: Path) -> None:
    path = dataset / "data_summary.json"
    manifest = json.loads(path.read_text())
    del manifest["config"]["dataset"]["clip"]  # as if the setting were newer than the dataset
    path.write_text(json.dumps(manifest))
    assert existing(dataset, CONFIG)
    finished_manifest(dataset, CONFIG)
    clipped = CONFIG.model_copy(update={"dataset": DatasetConfig(lookback=8, predict=2, clip=3.0)})
    with pytest.raises(ExistsError, match=r"dataset\.clip 5\.0 → 3\.0"):
        existing(dataset, clipped)
    with pytest.raises(DataError, match=r"other settings \(dataset\.clip 5\.0 → 3\.0\).*--config m --force"):
        finished_manifest(dataset, clipped)


def test_a_dataset_of_another_model_is_refused_by_training_and_evaluation(dataset: Path) -> None:
    other = CONFIG.model_copy(update={"name": "other", "model_name": "Other"})
    with pytest.raises(DataError, match="holds the dataset of m, not of other"):
        finished_manifest(dataset, other)


def test_a_dataset_that_was_being_moved_in_is_finished_before_it_is_looked_at(dataset: Path) -> None:
    moving = dataset / ".moving"
    moving.mkdir()
    for name in ("data_summary.json", "native"):
        (dataset / name).rename(moving / name)
    folders = DatasetFolders(dataset.parent, dataset, None)
    assert "was interrupted" in plan(CONFIG, folders, {})["exists"]
    assert is_prepared(CONFIG, folders)
    assert not moving.exists()


@pytest.mark.parametrize("call", [prepare, train, evaluate, walk_forward])
def test_a_name_in_place_of_a_config_is_refused(
    call: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Kronos" / "finetune").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UsageError, match=r"'model_a_4h' is not a ModelConfig; load one with: load_config\('model_a_4h'\)"
    ):
        call("model_a_4h", *([2] if call is walk_forward else []))


def test_a_manifest_of_layout_1_is_read_with_the_keys_of_today(dataset: Path) -> None:
    path = dataset / "data_summary.json"
    today = json.loads(path.read_text())
    [facts] = today["series"].values()
    facts["findings"].append({"kind": "gap", "count": 1, "action": "cut", "examples": [], "text": {"en": "", "zh": ""}})
    former = json.loads(
        json.dumps(today)
        .replace('"kind": "gap"', '"kind": "hole"')
        .replace('"gaps": [', '"holes": [')
        .replace('"provenance": {', '"origins": {')
    )
    assert all({"holes", "origins"} <= facts.keys() for facts in former["series"].values())
    path.write_text(json.dumps({**former, "schema": 1}))
    assert read_manifest(dataset, "m").content == today
    assert all(check.ok for check in verify(dataset))
    assert existing(dataset, CONFIG)
