"""The learning rate as a function of the step."""

import warnings

import pytest
import torch

from kronosforge.train.schedule import learning_rate


@pytest.mark.parametrize("steps", [40, 100, 1000])
def test_onecycle_is_torchs_with_upstreams_arguments(steps: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-4, total_steps=steps, pct_start=0.1, div_factor=10)
    for step in range(steps):
        ours = learning_rate(step, steps, peak=2e-4, warmup=0.1, kind="onecycle")
        assert ours == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no optimiser step goes before: nothing is trained here
            schedule.step()


def test_cosine_rises_along_a_line_and_falls_to_a_tenth() -> None:
    rates = [learning_rate(step, 100, peak=1.0, warmup=0.1, kind="cosine") for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert max(rates) == pytest.approx(1.0)
    assert rates[11:] == sorted(rates[11:], reverse=True)
    assert rates[-1] == pytest.approx(0.1)


@pytest.mark.parametrize("kind", ["onecycle", "cosine"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_short_run_has_a_rate_too(kind: str, steps: int) -> None:
    for warmup in (0.0, 0.03, 0.9):
        rates = [learning_rate(step, steps, peak=1.0, warmup=warmup, kind=kind) for step in range(steps)]
        assert all(0 < rate <= 1 for rate in rates)
