"""An exchange that is quick to ask."""

from collections.abc import Iterator

import pytest

from kronosforge.sandbox import Clock, Sandbox, Server, Synthetic, serving

from .asking import NOW


@pytest.fixture(scope="module")
def market() -> Synthetic:
    return Synthetic(seed=7)


@pytest.fixture
def server(market: Synthetic) -> Iterator[Server]:
    """A made-up market whose clock stands at NOW."""
    with serving(Sandbox(market, Clock(NOW), rate_limits=False)) as running:
        yield running
