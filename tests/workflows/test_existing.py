"""Which settings of a recorded dataset count as different."""

import pytest

from kronosforge.config import CleanConfig, ModelConfig
from kronosforge.dataset.manifest import recorded_settings
from kronosforge.workflows.existing import differences

CONFIG = ModelConfig(model_name="M", target_symbols=["A_4H"], clean=CleanConfig(gaps="fill"))


def recorded(**clean: object) -> dict[str, object]:
    """The manifest's config, with `clean` recorded under a former name."""
    values = recorded_settings(CONFIG)
    del values["clean"]["gaps"]
    return {**values, "clean": {**values["clean"], **clean}}


@pytest.mark.parametrize(
    ("clean", "expected"),
    [({"holes": "fill"}, []), ({"gaps": "fill"}, []), ({"holes": "split"}, [("clean.gaps", "split", "fill")])],
)
def test_a_setting_recorded_under_its_former_name_is_compared(clean: dict[str, object], expected: list[object]) -> None:
    assert list(differences(recorded(**clean), CONFIG)) == expected
