"""The computed permutation is a permutation, looks random, and divides an epoch as the mix says."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.core.errors import ConfigError
from kronosforge.dataset.order import Order, groups, permute, splitmix64

SERIES = {"A_1H": 30, "B_1H": 100, "C_1H": 7}
keys = st.integers(0, 2**64 - 1)


def permuted(positions, n: int, key: int):
    return permute(np.asarray(positions), np.array([n]), np.array([key], np.uint64))


def epoch(mix, per_epoch=None, seed=0, number=0):
    """All windows of an epoch of SERIES."""
    order = Order(groups(SERIES, mix, per_epoch), seed)
    return order.numbers(number, np.arange(len(order)))


def per_series(windows) -> list[int]:
    """How many of `windows` are of each series."""
    return np.histogram(windows, [0, 30, 130, 137])[0].tolist()


@given(st.integers(1, 3000), keys)
def test_it_is_a_bijection(n, key):
    assert np.array_equal(np.sort(permuted(np.arange(n), n, key)), np.arange(n))


@given(st.integers(10**6, 2**50 - 1), keys, st.data())
def test_large_ones_stay_inside_and_never_meet(n, key, data):
    positions = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=50, unique=True))
    permutation = permuted(positions, n, key)
    assert ((permutation >= 0) & (permutation < n)).all()
    assert len(set(permutation.tolist())) == len(positions)


@pytest.mark.parametrize("n", [k * k + d for k in (2, 2**16, 2**24) for d in (-1, 0, 1)])
def test_around_squares_nothing_falls_out(n):
    assert 0 <= permuted([n - 1], n, 5)[0] < n


def test_a_key_an_element_is_each_key_by_itself():
    n, key = np.array([9, 1000, 9]), np.array([1, 2, 3], np.uint64)
    alone = [permuted([4], int(size), int(k))[0] for size, k in zip(n, key, strict=True)]
    assert permute(np.array([4, 4, 4]), n, key).tolist() == alone


@pytest.mark.parametrize("n", [5, 20])
def test_every_pair_comes_first_as_often(n):
    draws = 40_000
    many = splitmix64(np.array([9], np.uint64), np.arange(draws, dtype=np.uint64))
    first, second = (permute(np.full(draws, i), np.array([n]), many) for i in (0, 1))
    pairs = np.bincount(first * n + second, minlength=n * n).reshape(n, n)[~np.eye(n, dtype=bool)]
    chi, freedom = ((pairs - pairs.mean()) ** 2).sum() / pairs.mean(), pairs.size - 1
    assert chi < freedom + 4 * np.sqrt(2 * freedom)


def test_the_numbers_are_those_of_splitmix64():
    """The first two of seed 0, as published with the generator."""
    numbers = splitmix64(np.zeros(2, np.uint64), np.array([1, 2], np.uint64))
    assert numbers.tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_neighbours_part():
    permutation = permuted(np.arange(100_000), 100_000, 3)
    assert abs(np.corrcoef(permutation[:-1], permutation[1:])[0, 1]) < 0.02


def test_each_seed_and_each_epoch_has_its_own_order():
    orders = [epoch("bars", seed=s, number=e) for s, e in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    assert len({order.tobytes() for order in orders}) == 4
    assert epoch("bars", seed=1, number=1).tobytes() == orders[3].tobytes()


def test_the_order_is_the_same_in_every_version():
    """A resumed run must go on in the order that it began: whoever changes this line breaks saved checkpoints."""
    assert epoch("bars", seed=7, number=3)[:8].tolist() == [83, 62, 46, 90, 131, 101, 95, 65]


def test_a_sample_has_no_window_twice_and_another_one_each_epoch():
    first, second = (set(epoch("bars", 50, number=e).tolist()) for e in (0, 1))
    assert len(first) == len(second) == 50
    assert first != second


def test_an_epoch_longer_than_the_split_goes_through_it_again():
    windows = epoch("bars", 300)
    assert sorted(windows[:137]) == sorted(windows[137:274]) == list(range(137))
    assert windows[:137].tolist() != windows[137:274].tolist()
    assert len(set(windows[274:].tolist())) == 26


def test_series_share_equally_and_small_ones_come_again():
    windows = epoch("series", 90)
    assert per_series(windows) == [30, 30, 30]
    times = Counter(windows.tolist())
    assert {times[w] for w in range(30)} == {1}
    assert {times[w] for w in range(130, 137)} == {4, 5}  # 30 visits to 7 windows
    assert max(times[w] for w in range(30, 130)) == 1


@pytest.mark.parametrize(
    ("mix", "shares"),
    [
        ("series", [46, 46, 45]),
        ({"A_1H": 1, "B_1H": 2, "C_1H": 1}, [34, 69, 34]),
        ({"A_1H": 0, "B_1H": 0.1, "C_1H": 0}, [0, 137, 0]),
    ],
)
def test_weights_are_kept_to_the_window(mix, shares):
    assert per_series(epoch(mix)) == shares


def test_the_series_are_shuffled_among_each_other():
    assert all(10 < n < 40 for n in per_series(epoch("series", 300)[:75]))


@pytest.mark.parametrize(
    ("mix", "per_epoch", "message"),
    [
        ({"A_1H": 1, "B_1H": 1}, None, "C_1H"),
        ({**dict.fromkeys(SERIES, 1), "D_1H": 1}, None, "D_1H"),
        ({**dict.fromkeys(SERIES, 1), "B_1H": -1}, None, "B_1H -1"),
        ({**dict.fromkeys(SERIES, 1), "B_1H": float("nan")}, None, "B_1H nan"),
        (dict.fromkeys(SERIES, 0), None, "not all 0"),
        ("symbols", None, "symbols"),
        ("bars", 0, "1 or more"),
    ],
)
def test_what_cannot_be_shared_is_refused(mix, per_epoch, message):
    with pytest.raises(ConfigError, match=message):
        groups(SERIES, mix, per_epoch)
