"""Rules of sampling against upstream's, and the numbers that a path is drawn with."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from kronosforge.core.errors import UsageError
from kronosforge.forecast.sampling import Sampler, uniforms


def kept(logits: list[float], **rule: float) -> list[int]:
    """Ids that stay."""
    result = Sampler(**rule).keep(torch.tensor([logits]))  # type: ignore[arg-type]
    return torch.isfinite(result)[0].nonzero().flatten().tolist()


def logs(*probabilities: float) -> list[float]:
    return np.log(probabilities).tolist()


def test_top_p_keeps_the_id_that_crosses_the_line() -> None:
    ids = logs(0.1, 0.5, 0.15, 0.25)
    assert kept(ids, top_p=0.4) == [1]
    assert kept(ids, top_p=0.6) == [1, 3]
    assert kept(ids, top_p=0.8) == [1, 2, 3]
    assert kept(ids, top_p=0.95) == [0, 1, 2, 3]
    assert kept(ids, top_p=1.0) == [0, 1, 2, 3]


def test_top_p_keeps_ties() -> None:
    assert kept(logs(0.2, 0.5, 0.2, 0.1), top_p=0.4) == [1]
    assert kept(logs(0.2, 0.5, 0.2, 0.1), top_p=0.6) == [0, 1, 2]


def test_top_k_goes_before_top_p_and_keeps_ties() -> None:
    ids = logs(0.1, 0.5, 0.15, 0.25)
    assert kept(ids, top_k=2, top_p=0.1) == [1, 3]
    assert kept(ids, top_k=99) == [0, 1, 2, 3]
    assert kept([1.0, 2.0, 1.0, 0.0], top_k=2) == [0, 1, 2]


def test_an_id_that_is_out_is_never_drawn() -> None:
    logits = torch.tensor(logs(0.2, 0.5, 0.2, 0.1)).expand(10_000, -1)
    edges = torch.linspace(0, 1 - 2**-53, 10_000, dtype=torch.float64)
    assert set(Sampler(top_k=1).choose(logits, edges).tolist()) == {1}
    assert set(Sampler(top_p=0.6).choose(logits, edges).tolist()) == {0, 1, 2}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_ids_come_as_often_as_their_probability(temperature: float) -> None:
    logits = torch.tensor(logs(0.1, 0.5, 0.15, 0.25))
    dice = torch.from_numpy(uniforms("A_4H", 0, 0, range(100), 100)).flatten()
    drawn = Sampler(temperature=temperature, top_p=1.0).choose(logits.expand(len(dice), -1), dice)
    expected = (logits / temperature).softmax(dim=0).double().numpy()
    counts = np.bincount(drawn.numpy(), minlength=4)
    assert chisquare(counts, expected / expected.sum() * len(dice)).pvalue > 0.001


def test_a_path_has_its_own_numbers_whatever_stands_beside_it() -> None:
    many = uniforms("A_4H", 1_700_000_000_000, 7, range(20), 30)
    assert np.array_equal(uniforms("A_4H", 1_700_000_000_000, 7, range(5, 6), 12), many[5:6, :12])
    others = [
        uniforms("B_4H", 1_700_000_000_000, 7, range(20), 30),
        uniforms("A_4H", 1_700_000_000_001, 7, range(20), 30),
        uniforms("A_4H", 1_700_000_000_000, 8, range(20), 30),
    ]
    every = np.stack([many, *others]).ravel()
    assert len(np.unique(every)) == len(every)
    assert abs(np.corrcoef(many.reshape(20, -1)) - np.eye(20)).max() < 0.5


def test_the_numbers_are_the_same_on_every_machine_and_version() -> None:
    result = uniforms("BTC-USDT-SWAP_4H", 1_700_000_000_000, 0, range(2), 1)
    assert result.ravel().tolist() == [
        0.2742532031432695,
        0.016305421313266732,
        0.29018011967467683,
        0.9929720681133913,
    ]


@pytest.mark.parametrize(
    "rule", [{"temperature": 0}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.1}, {"temperature": float("nan")}]
)
def test_a_rule_that_means_nothing_is_refused(rule: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(rule))} is "):
        Sampler(**rule)  # type: ignore[arg-type]
