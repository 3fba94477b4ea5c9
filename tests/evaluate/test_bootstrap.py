"""Intervals: how often they hold the truth where forecasts overlap, and that all see the same resamples."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from kronosforge.evaluate.bootstrap import FEWEST, Blocks, length


def overlapping(rng: np.random.Generator, n: int, horizon: int) -> np.ndarray:
    """Sums of `horizon` independent steps, one starting at every bar: what the scores of overlapping forecasts are like."""
    return np.convolve(rng.normal(size=n + horizon - 1), np.ones(horizon), "valid")


def autoregressive(rng: np.random.Generator, n: int, _: int) -> np.ndarray:
    out = np.zeros(n + 60)
    for i, step in enumerate(rng.normal(size=n + 59), 1):
        out[i] = 0.7 * out[i - 1] + step
    return out[60:]


@pytest.mark.parametrize("process", [overlapping, autoregressive])
@pytest.mark.parametrize("instants", [100, 300])
def test_they_hold_the_truth_as_often_as_they_say(process, instants: int) -> None:
    """600 markets at once: the columns are independent, the blocks are not, so the share is known to about ± 2 %."""
    rng, horizon = np.random.default_rng(0), 8
    columns = np.stack([process(rng, instants, horizon) for _ in range(600)], axis=1)
    size = length(horizon, 1, 1.0, instants)
    intervals = Blocks(instants, size, replicates=800, level=0.95, seed=1).means(np.arange(instants), columns)
    assert 0.91 <= np.mean([interval.low <= 0 <= interval.high for interval in intervals]) <= 0.985


def moody(rng: np.random.Generator, n: int) -> np.ndarray:
    """How wild each of `n` days is: quiet and wild spells that last months."""
    mood = np.zeros(n + 300)
    for i, step in enumerate(rng.normal(size=n + 299), 1):
        mood[i] = 0.97 * mood[i - 1] + 0.15 * step
    return np.exp(mood[300:])


def test_a_share_holds_the_truth_where_errors_grow_with_the_markets_moves() -> None:
    """Errors that are 30 % smaller than the other's, in 400 markets with wild months and quiet ones. A plain difference does
    not hold its long run's mean as often as it says."""
    rng, n = np.random.default_rng(0), 600
    other_losses = np.stack([moody(rng, n) for _ in range(400)], axis=1) * np.abs(rng.normal(size=(n, 400)))
    losses = other_losses * 0.7 * np.exp(0.3 * rng.normal(size=(n, 400)) - 0.3**2 / 2)
    blocks, at = Blocks(n, 12, replicates=400, level=0.95, seed=1), np.arange(n)
    truth = (losses - other_losses).mean()
    plain = blocks.means(at, losses - other_losses)
    assert np.mean([interval.low <= truth <= interval.high for interval in plain]) < 0.8
    shares = blocks.shares(at, losses, other_losses)
    assert 0.92 <= np.mean([interval.low <= -0.3 <= interval.high for interval in shares]) <= 0.98
    assert np.mean([interval.value for interval in shares]) == pytest.approx(-0.3, abs=0.005)


def test_of_equals_few_look_better() -> None:
    """The verdict's own risk, where it is highest: a forecast exactly as good as the one it is held against."""
    rng, n = np.random.default_rng(0), 600
    moods = np.stack([moody(rng, n) for _ in range(600)], axis=1)
    losses, other_losses = (moods * np.abs(rng.normal(size=(n, 600))) for _ in range(2))
    interval = Blocks(n, 12, replicates=400, level=0.95, seed=1).shares(np.arange(n), losses, other_losses)
    assert 0.01 <= np.mean([first.below_zero for first in interval]) <= 0.045


def correlation(x: np.ndarray, y: np.ndarray):
    """Pearson's of each pair of columns (n, K), as a statistic of weights."""

    def statistic(weights: np.ndarray) -> np.ndarray:
        mx, my, xx, yy, xy = ((weights @ c) / weights.sum(-1, keepdims=True) for c in (x, y, x * x, y * y, x * y))
        return (xy - mx * my) / np.sqrt((xx - mx**2) * (yy - my**2))

    return statistic


def holds_zero(x: np.ndarray, y: np.ndarray, blocks: Blocks) -> float:
    """The share of columns in which the interval of the correlation holds 0."""
    statistic = correlation(x, y)
    [values] = statistic(np.ones((1, len(x))))
    return np.mean([interval.low <= 0 <= interval.high for interval in blocks.intervals(values, statistic)])


def test_a_correlation_holds_the_truth_where_a_few_wild_months_carry_it(monkeypatch) -> None:
    """Reversion to the mean of 14 days as the forecast of 3 days' moves, in 400 random walks with wild months."""
    rng, n, lookback, horizon = np.random.default_rng(0), 1000, 14, 3
    walks = np.stack([moody(rng, n + lookback + horizon) for _ in range(400)], axis=1)
    walks = (walks * rng.normal(size=walks.shape)).cumsum(axis=0)
    recent = sliding_window_view(walks, lookback, axis=0).mean(axis=-1)[:n]
    walks_seen = walks[lookback - 1 :][:n]
    moves = walks[lookback - 1 + horizon :][:n] - walks_seen
    blocks = Blocks(n, 12, replicates=300, level=0.95, seed=1)
    assert 0.92 <= holds_zero(recent - walks_seen, moves, blocks) <= 0.98
    monkeypatch.setattr(Blocks, "_freedom", lambda self, _: np.array([n / 12 - 1]))
    assert holds_zero(recent - walks_seen, moves, blocks) < 0.92


def test_a_mean_of_like_blocks_has_all_their_freedom_and_one_wild_block_leaves_little() -> None:
    rng = np.random.default_rng(0)
    calm = rng.normal(size=400)
    wild = np.where(np.arange(400) // 10 == 20, 30 * calm, calm)
    blocks = Blocks(400, 10, replicates=400, level=0.95, seed=1)
    [first, other] = blocks._freedom(
        lambda weights: (weights @ np.stack([calm, wild], axis=1)) / weights.sum(1)[:, None]
    )
    assert 30 < first <= 39
    assert 1 <= other < 3


def test_a_share_of_nothing_says_nothing() -> None:
    [interval] = Blocks(9, 1, replicates=200, level=0.95, seed=0).shares(
        np.arange(9), np.ones((9, 1)), np.zeros((9, 1))
    )
    assert interval == (None, None, None)


def test_without_blocks_they_would_hold_it_much_too_seldom() -> None:
    rng, n = np.random.default_rng(0), 300
    columns = np.stack([overlapping(rng, n, 8) for _ in range(300)], axis=1)
    intervals = Blocks(n, 1, replicates=400, level=0.95, seed=1).means(np.arange(n), columns)
    assert np.mean([interval.low <= 0 <= interval.high for interval in intervals]) < 0.7


def test_series_that_move_together_count_as_one() -> None:
    rng = np.random.default_rng(3)
    first = rng.normal(size=200)
    blocks = Blocks(200, 5, replicates=400, level=0.95, seed=0)
    alone = blocks.means(np.arange(200), first[:, None])[0]
    thrice = blocks.means(np.repeat(np.arange(200), 3), np.repeat(first, 3)[:, None])[0]
    assert thrice == pytest.approx(alone)


def test_a_difference_is_paired() -> None:
    """What both have in common is gone: a tiny steady difference is clear, however wild the two are."""
    rng = np.random.default_rng(4)
    market = 100 * rng.normal(size=200)
    ours, other_losses = market - 0.01 + 0.001 * rng.normal(size=200), market
    blocks = Blocks(200, 5, replicates=400, level=0.95, seed=0)
    losses, other, difference = blocks.means(
        np.arange(200), np.stack([ours, other_losses, ours - other_losses], axis=1)
    )
    assert difference.below_zero
    assert losses.low < other.value < losses.high


def test_the_same_seed_gives_the_same_interval_and_memory_is_no_matter(monkeypatch) -> None:
    column = np.random.default_rng(5).normal(size=(50, 1))
    interval = Blocks(50, 4, replicates=300, level=0.9, seed=7).means(np.arange(50), column)
    assert interval == Blocks(50, 4, replicates=300, level=0.9, seed=7).means(np.arange(50), column)
    assert interval != Blocks(50, 4, replicates=300, level=0.9, seed=8).means(np.arange(50), column)
    drawn = np.concatenate(list(Blocks(50, 4, replicates=300, level=0.9, seed=7).weights()))
    assert drawn.shape == (300, 50)
    assert (drawn.sum(axis=1) == 50).all()


def test_gaps_are_left_out_of_means() -> None:
    values = np.array([[1.0], [np.nan], [3.0], [np.nan], [5.0], [3.0]])
    assert Blocks(6, 1, replicates=200, level=0.95, seed=0).means(np.arange(6), values)[0].value == 3


def test_too_short_a_time_says_nothing() -> None:
    interval = Blocks(29, 10, replicates=200, level=0.95, seed=0).means(np.arange(29), np.ones((29, 1)))[0]
    assert interval == (1.0, None, None)
    assert not interval.below_zero


@pytest.mark.parametrize(
    ("horizon", "stride", "share", "instants", "asked", "blocks"),
    [
        (10, 1, 1.0, 1000, None, 33),
        (10, 4, 1.0, 1000, None, 9),  # 3 instants cover 11 bars
        (10, 1, 1 / 6, 10_000, None, 198),  # days among 4-hour bars
        (10, 1, 1.0, 60, None, 60 // FEWEST),
        (10, 1, 1.0, 20, None, 11),  # never less than a horizon
        (10, 1, 1.0, 1000, 5, 11),
        (10, 1, 1.0, 1000, 50, 50),
    ],
)
def test_a_block_is_longer_than_a_horizon(horizon, stride, share, instants, asked, blocks) -> None:
    assert length(horizon, stride, share, instants, asked) == blocks
