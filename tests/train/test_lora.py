"""Low-rank updates: few weights are trained, and an ordinary checkpoint comes out."""

import sys

import pytest
import torch

pytest.importorskip("peft", reason="LoRA needs peft")

from kronosforge.core.errors import UsageError
from kronosforge.model import PRESETS, KronosPredictor
from kronosforge.train import lora, train
from tests.train.conftest import TINY

pytestmark = pytest.mark.filterwarnings("ignore")  # peft's and transformers' own


def test_a_merged_network_is_an_ordinary_one_with_the_same_logits():
    torch.manual_seed(0)
    network = KronosPredictor(PRESETS["tiny"].predictor).eval()
    ids, stamp = torch.randint(0, 64, (2, 3, 9)), torch.zeros(3, 9, 5)
    before = network(*ids, stamp, ids[0])
    lora.inject(network, 4)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert 0 < sum(p.numel() for p in trained) < sum(p.numel() for p in network.parameters()) / 2
    with torch.no_grad():
        for parameter in trained:
            parameter.add_(torch.randn_like(parameter) * 0.1)
    ordinary = lora.merged(network)
    assert ordinary.state_dict().keys() == KronosPredictor(PRESETS["tiny"].predictor).state_dict().keys()
    after, apart = ordinary(*ids, stamp, ids[0]), network(*ids, stamp, ids[0])
    for merged, other, was in zip(after, apart, before, strict=True):
        torch.testing.assert_close(merged, other, rtol=0, atol=1e-4)
        assert not torch.allclose(merged, was, atol=1e-2)


def test_it_trains_resumes_and_saves_an_ordinary_checkpoint(config, root):
    rules = TINY.model_copy(update={"lora": 4, "epochs": 1})
    done = train(config.model_copy(update={"train": rules}), root)["predictor"]
    assert done.improved
    assert KronosPredictor.from_pretrained(done.best).bits == (6, 6)
    with pytest.raises(UsageError, match="lora 4 → 8"):
        train(config.model_copy(update={"train": rules.model_copy(update={"lora": 8})}), root, resume=True)
    last = root / "outputs/models/model_t/predictor/last/training.json"
    last.write_text(last.read_text().replace('"finished": true', '"finished": false'))
    again = train(config.model_copy(update={"train": rules}), root, resume=True)["predictor"]
    assert again.progress.epochs == done.progress.epochs


def test_without_peft_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"kronosforge\[lora\]"):
        lora.inject(KronosPredictor(PRESETS["tiny"].predictor), 4)
