"""Today's values against those in values.json; see `record` for what may change one."""

import json
import math
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch")

from .record import SHARED, VALUES, record

# Another processor may round the last digits differently. Digests, strings, counts, exit codes and keys are exact.
TOLERANCE = {"forecast": 1e-4, "training": 1e-3, "evaluation": 2e-3}
NOISE = 1e-6  # a value this small is rounding, not a figure


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the code makes today, in a folder with a blank and Chinese in its name."""
    if not SHARED.is_dir():
        pytest.skip("no shared/ beside the checkout")
    folder = tmp_path_factory.mktemp("golden") / "my 模型"
    folder.mkdir()
    return record(folder)


def same(old: Any, new: Any, tolerance: float) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=tolerance, abs_tol=NOISE)
    return bool(old == new)


@pytest.mark.parametrize("part", ["datasets", "training", "forecast", "evaluation", "exit codes", "json keys"])
def test_nothing_has_moved(now: dict[str, Any], part: str) -> None:
    old, new = json.loads(VALUES.read_text("utf-8"))[part], now[part]
    tolerance = TOLERANCE.get(part, 0.0)
    changed = {
        key: (old.get(key, "absent"), new.get(key, "absent"))
        for key in [*old, *(key for key in new if key not in old)]
        if key not in old or key not in new or not same(old[key], new[key], tolerance)
    }
    if part == "json keys":
        changed = {
            key: (f"gone: {sorted(set(was) - set(is_))}", f"new: {sorted(set(is_) - set(was))}")
            for key, (was, is_) in changed.items()
        }
    listed = "\n".join(f"{key}: {was} → {is_}" for key, (was, is_) in list(changed.items())[:20])
    assert not changed, f"{len(changed)} values of {part} changed; docs/decisions.md must say why:\n{listed}"
