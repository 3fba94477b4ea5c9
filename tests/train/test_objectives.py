"""Losses and scores of both stages."""

import math

import pytest
import torch
from torch import Tensor

from kronosforge.dataset.loader import Batch
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.train.objectives import PredictorObjective, TokenizerObjective

LOOKBACK, PREDICT, WINDOWS = 12, 4, 5
BARS = LOOKBACK + PREDICT + 1


def batch(seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(WINDOWS, BARS, 6, generator=generator).clip(-5, 5)
    stamp = torch.randint(0, 7, (WINDOWS, BARS, 5), generator=generator)
    return Batch(x, stamp, torch.arange(WINDOWS), WINDOWS)


@pytest.fixture
def tokenizer() -> TokenizerObjective:
    torch.manual_seed(1)
    return TokenizerObjective(KronosTokenizer(PRESETS["tiny"].tokenizer), clip=5.0)


@pytest.fixture
def predictor(tokenizer: TokenizerObjective) -> PredictorObjective:
    return PredictorObjective(KronosPredictor(PRESETS["tiny"].predictor), tokenizer.network)


@pytest.fixture(params=["tokenizer", "predictor"])
def objective(request: pytest.FixtureRequest) -> TokenizerObjective | PredictorObjective:
    return request.getfixturevalue(request.param)


@torch.no_grad()
def scores(objective: TokenizerObjective | PredictorObjective, *batches: Batch) -> dict[str, float]:
    objective.eval()
    return objective.metrics(sum(objective.measure(each, LOOKBACK) for each in batches))


def test_scores_add_up_over_batches(objective: TokenizerObjective | PredictorObjective) -> None:
    whole = batch()
    parts = [Batch(whole.x[rows], whole.stamp[rows], whole.windows[rows], 5) for rows in (slice(0, 2), slice(2, 5))]
    apart, together = scores(objective, *parts), scores(objective, whole)
    apart.pop("quantizer", None), together.pop("quantizer", None)  # codebook entropy is a batch's, upstream's too
    assert apart == pytest.approx(together, rel=1e-5)


def test_scores_count_the_bars_after_the_lookback_only(objective: TokenizerObjective | PredictorObjective) -> None:
    """What the lookback's own errors are does not reach the headline, through which a window's scale would leak."""
    whole = batch()
    with torch.no_grad():
        sums = objective.eval().measure(whole, LOOKBACK)
        longer = objective.measure(whole, LOOKBACK - 1)
    bars = {TokenizerObjective: -1 - 128, PredictorObjective: -2}[type(objective)]
    assert sums[bars] == WINDOWS * (PREDICT + 1)
    assert longer[bars] == WINDOWS * (PREDICT + 2)


@pytest.mark.parametrize("bar", [LOOKBACK, BARS - 2, BARS - 1])
def test_no_loss_term_sees_a_later_bar(predictor: PredictorObjective, bar: int) -> None:
    whole = batch()
    moved = whole._replace(x=whole.x.clone())
    moved.x[:, bar:] = -moved.x[:, bar:]

    def terms(of: Batch) -> Tensor:
        network, (s1, s2) = predictor.eval().network, predictor._encode(of.x)
        with torch.no_grad():
            logits = network(s1[:, :-1], s2[:, :-1], of.stamp[:, :-1], s1[:, 1:])
        losses = [
            torch.nn.functional.cross_entropy(each.mT, ids[:, 1:], reduction="none")
            for each, ids in zip(logits, (s1, s2), strict=True)
        ]
        return torch.stack(losses)  # (2, B, T - 1); term t is bar t + 1's

    before, after = terms(whole), terms(moved)
    assert torch.equal(before[..., : bar - 1], after[..., : bar - 1])
    assert not torch.equal(before[..., bar - 1 :], after[..., bar - 1 :])


def test_the_tokenizers_report_names_each_feature_and_its_health(tokenizer: TokenizerObjective) -> None:
    whole = batch()
    whole.x[0, LOOKBACK:, 4] = 5.0
    metrics = scores(tokenizer, whole)
    features = [metrics[f"reconstruction_{name}"] for name in ("open", "high", "low", "close", "vol", "amt")]
    assert metrics["reconstruction"] == pytest.approx(sum(features) / 6)
    assert metrics["clipped_vol"] == pytest.approx(1 / WINDOWS)
    assert metrics["clipped"] == pytest.approx(1 / WINDOWS / 6)
    used = tokenizer.network.encode(whole.x)
    assert metrics["s1_codes_used"] == len(used[0].unique()) / 64
    assert metrics["s2_codes_used"] == len(used[1].unique()) / 64


def test_an_untrained_predictor_knows_nothing(predictor: PredictorObjective) -> None:
    metrics = scores(predictor, batch())
    assert metrics["s1"] == pytest.approx(math.log(64), abs=0.8)
    assert metrics["loss"] == pytest.approx((metrics["s1"] + metrics["s2"]) / 2)


def test_the_predictors_training_leaves_its_tokenizer_alone(predictor: PredictorObjective) -> None:
    whole = batch()
    predictor.train()
    predictor(whole.x, whole.stamp)["loss"].backward()
    tokenizer = predictor._tokenizer[0]
    assert not tokenizer.training
    assert all(parameter.grad is None for parameter in tokenizer.parameters())
    assert all(parameter.grad is not None for parameter in predictor.parameters())
    assert not any(key.startswith("_tokenizer") for key in predictor.state_dict())
