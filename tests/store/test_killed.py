"""A download killed at any step goes on with the next one, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kronosforge.store import Store
from tests.store.killed import FOUR_HOURS, SERIES, WANTED, download, venue

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")

STEPS = range(0, 80, 2)


def _tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Stores whose first download was killed, each at a later step."""
    root = tmp_path_factory.mktemp("killed")
    checkout = Path(__file__).resolve().parents[2]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(checkout), str(checkout / "src")])}
    command = [sys.executable, "-m", "tests.store.killed", str(root), *map(str, STEPS)]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=120)
    deaths = ran.stdout.split().count("-9")
    assert 20 < deaths < len(STEPS), "from the first step to past the last"
    return [root / str(step) for step in STEPS[:deaths]]


def test_run_again_gives_the_same_bytes_and_no_leftovers(killed: list[Path], tmp_path: Path) -> None:
    download(tmp_path, venue(forgets=True))
    whole = _tree(tmp_path)
    differing = []
    for root in killed:
        download(root, venue())
        if _tree(root) != whole:
            differing.append(root)
    assert differing == []
    assert Store(tmp_path).read("memory", SERIES, WANTED).equals(venue().frame)


def test_killed_late_asks_only_for_the_rest(tmp_path: Path) -> None:
    source = venue()
    source.fail_after = 6
    with pytest.raises(ConnectionResetError):
        download(tmp_path, source)
    again = venue()
    download(tmp_path, again)
    # Pages of seven bars from bar 100 down, the newest candle being bar 89: bars 58 to 89 came.
    assert [(span.start // FOUR_HOURS.length, span.stop // FOUR_HOURS.length) for span in again.asked[:2]] == [
        (90, 100),
        (0, 58),
    ]
