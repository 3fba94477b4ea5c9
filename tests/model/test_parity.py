"""Tokenizer and predictor against tensors that upstream computed (shared/kronos_reference)."""

import os
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from kronosforge.dataset.normalize import normalize
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer

REFERENCE = Path(os.environ.get("KRONOS_REFERENCE", Path(__file__).parents[3] / "shared" / "kronos_reference"))
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no shared/ beside the checkout")
PREDICTORS = {"predictor": "predictor_tiny", "predictor_fixed_te": "predictor_tiny_fixed_te"}


@pytest.fixture(scope="module")
def vectors() -> dict[str, Tensor]:
    return load_file(REFERENCE / "vectors.safetensors")


@pytest.fixture
def tokenizer() -> KronosTokenizer:
    return KronosTokenizer.from_pretrained(REFERENCE / "tokenizer_tiny")


@pytest.fixture(params=PREDICTORS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def predictor(name: str) -> KronosPredictor:
    return KronosPredictor.from_pretrained(REFERENCE / PREDICTORS[name])


def close(output: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)


def test_a_tokenizer_encodes_and_decodes_as_upstream(tokenizer: KronosTokenizer, vectors: dict[str, Tensor]) -> None:
    with torch.no_grad():
        s1, s2 = tokenizer.encode(vectors["x"])
        decoded = tokenizer.decode(s1, s2)
    assert torch.equal(s1, vectors["tokenizer.s1_ids"])
    assert torch.equal(s2, vectors["tokenizer.s2_ids"])
    close(decoded, vectors["tokenizer.decoded_half"])


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_tokenizer_reconstructs_as_upstream(
    tokenizer: KronosTokenizer, vectors: dict[str, Tensor], mode: str
) -> None:
    output = tokenizer.train(mode == "train")(vectors["x"])
    assert torch.equal(output.ids, vectors[f"tokenizer.{mode}.indices"])
    close(output.from_s1, vectors[f"tokenizer.{mode}.recon_s1"])
    close(output.full, vectors[f"tokenizer.{mode}.recon"])
    close(output.quantized, vectors[f"tokenizer.{mode}.quantized"])
    close(output.quantizer_loss[None], vectors[f"tokenizer.{mode}.bsq_loss"])


def test_a_tokenizers_gradients_are_upstreams(tokenizer: KronosTokenizer, vectors: dict[str, Tensor]) -> None:
    x = vectors["x"]
    output = tokenizer.train()(x)
    loss = (F.mse_loss(output.from_s1, x) + F.mse_loss(output.full, x) + output.quantizer_loss) / 2
    loss.backward()
    close(loss[None], vectors["tokenizer.train_loss"])
    for key in ("embed.weight", "quant_embed.weight"):
        close(tokenizer.get_parameter(key).grad, vectors[f"tokenizer.grad.{key}"])


def test_a_predictor_gives_upstreams_logits(predictor: KronosPredictor, name: str, vectors: dict[str, Tensor]) -> None:
    with torch.no_grad():
        s1_logits, hidden = predictor.decode_s1(
            vectors["tokenizer.s1_ids"], vectors["tokenizer.s2_ids"], vectors["stamp"]
        )
        s2_logits = predictor.decode_s2(hidden, vectors[f"{name}.s1_next"])
    close(s1_logits, vectors[f"{name}.s1_logits"])
    close(hidden, vectors[f"{name}.context"])
    close(s2_logits, vectors[f"{name}.s2_logits_next"])


def test_a_predictors_training_loss_is_upstreams(
    predictor: KronosPredictor, name: str, vectors: dict[str, Tensor]
) -> None:
    s1, s2, stamp = vectors["tokenizer.s1_ids"], vectors["tokenizer.s2_ids"], vectors["stamp"]
    s1_logits, s2_logits = predictor.train()(s1[:, :-1], s2[:, :-1], stamp[:, :-1], s1[:, 1:])
    losses = [
        F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        for logits, ids in ((s1_logits, s1), (s2_logits, s2))
    ]
    close(s1_logits, vectors[f"{name}.train.s1_logits"])
    close(s2_logits, vectors[f"{name}.train.s2_logits_teacher_forced"])
    close(torch.stack([sum(losses) / 2, *losses]), vectors[f"{name}.train.loss"])


@pytest.mark.parametrize(
    ("size", "parameters"),
    [("mini", (3_958_042, 4_108_032)), ("small", (3_958_042, 24_741_376)), ("base", (3_958_042, 102_310_592))],
)
def test_a_preset_has_the_published_size(size: str, parameters: tuple[int, int]) -> None:
    with torch.device("meta"):
        networks = KronosTokenizer(PRESETS[size].tokenizer), KronosPredictor(PRESETS[size].predictor)
    assert tuple(sum(p.numel() for p in network.parameters()) for network in networks) == parameters


def test_a_single_query_sees_the_whole_context(predictor: KronosPredictor, vectors: dict[str, Tensor]) -> None:
    s1, s2, stamp = vectors["tokenizer.s1_ids"], vectors["tokenizer.s2_ids"], vectors["stamp"]
    with torch.no_grad():
        _, hidden = predictor.decode_s1(s1, s2, stamp)
        before = predictor.decode_s2(hidden, s1[:, -1:])[:, -1]
        for bar in range(hidden.shape[1]):  # the newest and the oldest alike
            moved = hidden.clone()
            moved[:, bar] += 1
            assert not torch.allclose(predictor.decode_s2(moved, s1[:, -1:])[:, -1], before)


def test_no_logit_in_eval_mode_sees_a_later_bar(predictor: KronosPredictor, vectors: dict[str, Tensor]) -> None:
    s1, s2, stamp = vectors["tokenizer.s1_ids"], vectors["tokenizer.s2_ids"], vectors["stamp"]
    with torch.no_grad():
        before = predictor(s1, s2, stamp, s1)
        for bar in (1, 20, 39):
            later = [t.clone() for t in (s1, s2, stamp)]
            for t in later:
                t[:, bar:] = t[:, bar:].flip(0)
            after = predictor(*later, later[0])
            for first, second in zip(before, after, strict=True):
                assert torch.equal(first[:, :bar], second[:, :bar])
            assert not torch.equal(before[1][:, bar:], after[1][:, bar:])


def test_our_normalisation_gives_upstreams_token_ids(tokenizer: KronosTokenizer) -> None:
    """Ours sums in float64, upstream's in float32: on candles the ids are the same."""
    table = (REFERENCE / "candles.csv").read_text().splitlines()[1:]
    bars = torch.tensor([[float(v) for v in line.split(",")[1:]] for line in table], dtype=torch.float32)
    window = bars[None, :90]
    float32 = ((window - window.mean(1, keepdim=True)) / (window.std(1, keepdim=True, correction=0) + 1e-5)).clip(-5, 5)
    ours = torch.from_numpy(normalize(window.numpy(), 90, 5.0))
    with torch.no_grad():
        for first, second in zip(tokenizer.encode(ours), tokenizer.encode(float32), strict=True):
            assert torch.equal(first, second)


def test_arguments_are_those_of_the_published_config(tokenizer: KronosTokenizer) -> None:
    assert list(asdict(tokenizer.arguments)) == list(asdict(PRESETS["base"].tokenizer))
