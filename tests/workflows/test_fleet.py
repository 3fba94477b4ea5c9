"""Exit codes of a fleet."""

import pytest

from kronosforge.workflows.fleet import fleet_code, model_code


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([0, 0], 0),
        ([0], 0),
        ([4], 4),  # such as a disk that refuses
        ([137], 5),  # killed
        ([0, 4], 5),
        ([0, 137], 5),  # killed
        ([5, 130, 4], 130),
    ],
)
def test_a_fleet_ends_with_5_and_a_single_model_with_its_own_code(codes: list[int], code: int) -> None:
    assert fleet_code(codes) == code


@pytest.mark.parametrize(("process", "code"), [(0, 0), (2, 2), (4, 4), (130, 130), (1, 5), (137, 5)])
def test_a_process_that_died_is_a_failed_training(process: int, code: int) -> None:
    assert model_code(process) == code
