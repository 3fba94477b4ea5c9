"""What we save, upstream's own classes load, and the other way round. Needs an upstream checkout: KRONOS_HOME."""

import os
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.train.state import StageProgress, complete
from kronosforge.workspace.training_record import TrainingRecord

HOME = os.environ.get("KRONOS_HOME")
pytestmark = pytest.mark.skipif(not HOME, reason="KRONOS_HOME names no upstream checkout")


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(sys, "path", [str(HOME), *sys.path])
    return pytest.importorskip("model.kronos")


def test_a_tokenizer_goes_there_and_back(upstream: object, tmp_path: Path) -> None:
    ours = KronosTokenizer(PRESETS["tiny"].tokenizer).eval()
    published = upstream.KronosTokenizer.from_pretrained(str(ours.save_pretrained(tmp_path / "ours"))).eval()
    x = torch.randn(2, 30, 6)
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(ours.encode(x), published.encode(x, half=True), strict=True))
    published.save_pretrained(str(tmp_path / "theirs"))
    back = KronosTokenizer.from_pretrained(tmp_path / "theirs")
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), back.parameters(), strict=True))


def test_a_predictor_goes_there_and_back(upstream: object, tmp_path: Path) -> None:
    ours = KronosPredictor(PRESETS["tiny"].predictor).eval()
    published = upstream.Kronos.from_pretrained(str(ours.save_pretrained(tmp_path / "ours"))).eval()
    s1, s2 = torch.randint(0, 64, (2, 2, 30))
    stamp = torch.zeros(2, 30, 5)
    with torch.no_grad():
        for a, b in zip(ours.decode_s1(s1, s2, stamp), published.decode_s1(s1, s2, stamp), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    published.save_pretrained(str(tmp_path / "theirs"))
    back = KronosPredictor.from_pretrained(tmp_path / "theirs")
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), back.parameters(), strict=True))


def test_a_published_pair_goes_there(upstream: object, tmp_path: Path) -> None:
    """A predictor's best_model holds its tokenizer and its record as well: upstream's loader takes no notice of them."""
    tokenizer, predictor = KronosTokenizer(PRESETS["tiny"].tokenizer), KronosPredictor(PRESETS["tiny"].predictor)
    predictor.save_pretrained(tmp_path / "best_model")
    epoch = {"epoch": 0, "train": {}, "val": {"loss": 1.0}, "best": True}
    progress = {**asdict(StageProgress(epochs=[epoch], finished=True))}
    complete(tmp_path, tokenizer, TrainingRecord.model_validate({"progress": progress, "facts": {"dataset": "0"}}))
    assert (tmp_path / "best_model" / "training.json").exists()
    published = upstream.Kronos.from_pretrained(str(tmp_path / "best_model"))
    assert all(torch.equal(a, b) for a, b in zip(predictor.parameters(), published.parameters(), strict=True))
    published = upstream.KronosTokenizer.from_pretrained(str(tmp_path / "best_model" / "tokenizer"))
    assert all(torch.equal(a, b) for a, b in zip(tokenizer.parameters(), published.parameters(), strict=True))
