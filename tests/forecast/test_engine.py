"""Cached generation against a plain loop that computes everything anew at every bar."""

import pytest
import torch
from torch import Tensor

from kronosforge.forecast.engine import Engine, Ids
from kronosforge.forecast.sampling import Sampler
from kronosforge.model import KronosPredictor, KronosTokenizer

CONTEXT = 32
SAMPLERS = [Sampler(top_p=1.0), Sampler(temperature=1.3, top_p=0.9), Sampler(top_k=5), Sampler(top_k=1)]


def plain(predictor: KronosPredictor, s1: Tensor, s2: Tensor, stamps: Tensor, dice: Tensor, by: Sampler) -> Tensor:
    """Ids to come (2, T) of one path, after `s1` and `s2` (L,): the newest bars through the whole network, bar by bar."""
    context_bars = len(s1)
    for s1_draw, other in dice:
        end = len(s1)
        window = slice(max(0, end - CONTEXT), end)
        logits, hidden = predictor.decode_s1(s1[None, window], s2[None, window], stamps[None, window])
        s1 = torch.cat((s1, by.choose(logits[0, -1:], s1_draw[None])))
        logits = predictor.decode_s2(hidden, s1[None, -1:])
        s2 = torch.cat((s2, by.choose(logits[0, -1:], other[None])))
    return torch.stack((s1[context_bars:], s2[context_bars:]))


@pytest.fixture(scope="module")
def engine(tokenizer: KronosTokenizer, predictor: KronosPredictor) -> Engine:
    return Engine(tokenizer, predictor, CONTEXT)


def inputs(context_bars: int, horizon: int, series: int = 2, samples: int = 3) -> tuple[Ids, Tensor, Tensor]:
    """Random ids, calendars and uniforms."""
    of = torch.Generator().manual_seed(context_bars)
    ids = Ids(*torch.randint(64, (2, series, context_bars), generator=of))
    parts = [torch.randint(low, high, (series, context_bars + horizon), generator=of) for low, high in
             ((0, 60), (0, 24), (0, 7), (1, 32), (1, 13))]  # fmt: skip
    dice = torch.rand(series, samples, horizon, 2, dtype=torch.float64, generator=of)
    return ids, torch.stack(parts, dim=-1), dice


# Inside the context; just filling it; sliding after some bars; sliding from the first; more known than the context.
@pytest.mark.parametrize(("context_bars", "horizon"), [(10, 12), (20, 12), (24, 20), (32, 8), (50, 31), (2, 31)])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_ids_are_those_of_full_recomputation(
    engine: Engine, predictor: KronosPredictor, context_bars: int, horizon: int, sampler: Sampler
) -> None:
    ids, stamps, dice = inputs(context_bars, horizon)
    made = engine.generate(ids, stamps, dice, sampler)
    with torch.no_grad():
        for series in range(2):
            for sample in range(3):
                expected = plain(
                    predictor, ids.s1[series], ids.s2[series], stamps[series], dice[series, sample], sampler
                )
                assert torch.equal(torch.stack((made.s1[series, sample], made.s2[series, sample])), expected)


@pytest.mark.parametrize(("context_bars", "horizon"), [(10, 12), (24, 20), (50, 31)])
def test_bars_are_those_of_the_tokenizer(
    engine: Engine, tokenizer: KronosTokenizer, context_bars: int, horizon: int
) -> None:
    ids, _, _ = inputs(context_bars, horizon)
    made = Ids(*torch.randint(64, (2, 2, 3, horizon)))
    decoded = engine.decode(ids, made)
    with torch.no_grad():
        for sample in range(3):
            both = (torch.cat((old, new[:, sample]), dim=1)[:, -CONTEXT:] for old, new in zip(ids, made, strict=True))
            expected = tokenizer.decode(*both)[:, -horizon:]
            torch.testing.assert_close(decoded[:, sample], expected, rtol=0, atol=1e-5)


def test_the_approximation_is_exact_until_the_context_is_full(engine: Engine) -> None:
    ids, stamps, dice = inputs(20, 30, series=4, samples=8)
    exact = engine.generate(ids, stamps, dice, Sampler(top_p=1.0))
    about = engine.generate(ids, stamps, dice, Sampler(top_p=1.0), "approximate")
    first = CONTEXT - 20 + 1  # bars drawn from contexts that do not slide
    assert torch.equal(exact.s1[..., :first], about.s1[..., :first])
    assert not torch.equal(exact.s1, about.s1)


def test_the_approximation_forgets_the_oldest_bars(engine: Engine) -> None:
    """It is not the forecast of a context twice as long."""
    ids, stamps, dice = inputs(32, 20, series=4, samples=8)
    about = engine.generate(ids, stamps, dice, Sampler(top_p=1.0), "approximate")
    wide = Engine(engine.tokenizer, engine.predictor, 2 * CONTEXT)
    assert not torch.equal(about.s1, wide.generate(ids, stamps, dice, Sampler(top_p=1.0)).s1)


def test_every_known_bar_moves_the_next(engine: Engine) -> None:
    """Also the newest: in training mode, upstream's s2 sees the oldest bar alone."""
    ids, stamps, dice = inputs(12, 1, series=1, samples=4096)
    before = engine.generate(ids, stamps, dice, Sampler(top_p=1.0))
    for bar in (0, 6, 11):
        moved = Ids(ids.s1.clone(), ids.s2.clone())
        moved.s2[:, bar] = (moved.s2[:, bar] + 32) % 64
        after = engine.generate(moved, stamps, dice, Sampler(top_p=1.0))
        assert not torch.equal(before.s2, after.s2)


def test_dropout_is_off(tokenizer: KronosTokenizer, predictor: KronosPredictor) -> None:
    Engine(tokenizer.train(), predictor.train(), CONTEXT)
    assert not tokenizer.training
    assert not predictor.training
