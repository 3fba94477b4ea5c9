"""A model is recorded as trained on what it was trained on: its dataset cannot be replaced meanwhile."""

import json
import shutil
import threading
from pathlib import Path

import pytest

from kronosforge.config import ModelConfig
from kronosforge.core.errors import DataError
from kronosforge.core.locks import reading
from kronosforge.train import loop, stages, train
from kronosforge.workflows.prepare import prepare
from kronosforge.workspace.paths import dataset_folders
from tests.train.conftest import model


@pytest.fixture
def workspace(prepared_root: Path, tmp_path: Path) -> Path:
    shutil.copytree(prepared_root / "data", tmp_path / "data")
    return tmp_path


def test_preparing_waits_for_a_training_that_reads_and_says_for_whom(
    workspace: Path,
    shared: Path,
    config: ModelConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`prepare --force` with other data, during the tokenizer stage: the predictor sees the data that is recorded."""
    other = model(shared).model_copy(update={"records_per_timeframe": 400})
    dataset = workspace / config.dataset_path
    before = json.loads((dataset / "data_summary.json").read_text())["fingerprint"]
    preparing = threading.Thread(
        target=lambda: prepare(other, dataset_folders(other, workspace, copy=False), {}, force=True)
    )
    begin = loop.Training.run
    seen = []

    def run(self: loop.Training) -> None:
        if self.stage.name == "tokenizer":
            preparing.start()
            preparing.join(3)
        seen.append(json.loads((dataset / "data_summary.json").read_text())["fingerprint"])
        begin(self)

    monkeypatch.setattr(loop.Training, "run", run)
    train(config, workspace)
    preparing.join(60)
    assert seen == [before, before]
    assert json.loads((dataset / "data_summary.json").read_text())["fingerprint"] != before
    record = workspace / "outputs" / "models" / config.name / "predictor" / "best_model" / "training.json"
    assert json.loads(record.read_text())["facts"]["dataset"] == before


def test_a_dataset_that_changes_all_the_same_ends_the_training(
    workspace: Path, config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By something that knows no lock, between the two stages."""
    begin = loop.Training.run

    def run(self: loop.Training) -> None:
        begin(self)
        manifest = workspace / config.dataset_path / "data_summary.json"
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"fingerprint": "0" * 64}))

    monkeypatch.setattr(stages.Training, "run", run)
    with pytest.raises(DataError, match="was replaced while it was trained on"):
        train(config, workspace)
    assert not (workspace / "outputs" / "models" / config.name / "predictor").exists()


def test_the_same_request_does_not_wait_for_a_training_that_reads(workspace: Path, config: ModelConfig) -> None:
    """It only looks at the dataset. A thread, which a second hold of the same process would make wait as well."""
    where = dataset_folders(config, workspace, copy=False)
    preparing = threading.Thread(target=lambda: prepare(config, where, {}), daemon=True)
    with reading(where.dataset, "the dataset"):
        preparing.start()
        preparing.join(20)
        assert not preparing.is_alive()
