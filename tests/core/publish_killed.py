"""Run as a program: `publish_killed.py ROOT STEP …` replaces the version in each ROOT/STEP, and is killed at that step."""

import sys
from pathlib import Path

from kronosforge.core.files import publishing
from tests.dying import each_step

NAMES = ("train.pkl", "native", "gone.pkl")
OLD = {"train.pkl": "old", "native/x.npy": "old", "gone.pkl": "old", "manifest.json": "old"}
NEW = {"train.pkl": "new", "native/x.npy": "new", "fresh.pkl": "new", "manifest.json": "new"}


def lay(folder: Path, version: dict[str, str]) -> None:
    for name, text in version.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def publish(folder: Path) -> None:
    with publishing(folder, "manifest.json", NAMES) as staging:
        lay(staging, NEW)


if __name__ == "__main__":
    each_step(lambda step: publish(Path(sys.argv[1]) / str(step)), map(int, sys.argv[2:]))
