"""The saved state of a run whose process was killed while it saved."""

import shutil
from pathlib import Path

import pytest

from kronosforge.config import ModelConfig
from kronosforge.train import train
from kronosforge.train.state import recover_saved, saved


@pytest.fixture
def interrupted(config: ModelConfig, root: Path) -> Path:
    """The folder of a tokenizer that was trained to the end; its last save is whole on disk, and not moved into place."""
    train(config, root, ["tokenizer"])
    folder = root / "outputs" / "models" / "model_t" / "tokenizer"
    ready = folder / "last" / ".ready"
    ready.mkdir()
    for path in [path for path in (folder / "last").iterdir() if path.is_file()]:
        shutil.move(path, ready)
    return folder


def test_whoever_reads_the_state_leaves_an_interrupted_save_as_it_is(interrupted: Path) -> None:
    """Every process of torchrun reads it, and only the main one holds the lock."""
    assert saved(interrupted) is None
    assert [path.name for path in (interrupted / "last").iterdir()] == [".ready"]
    recover_saved(interrupted)
    assert saved(interrupted)


def test_training_finishes_an_interrupted_save_and_goes_on_from_it(
    interrupted: Path, config: ModelConfig, root: Path
) -> None:
    assert train(config, root, ["tokenizer"], resume=True)["tokenizer"].kept
    assert not (interrupted / "last" / ".ready").exists()
