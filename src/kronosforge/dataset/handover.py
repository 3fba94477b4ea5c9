"""Give Kronos' own trainer a copy of a dataset, in the folder where it looks."""

import shutil
from pathlib import Path

from kronosforge.core.files import locked, publishing
from kronosforge.core.i18n import _
from kronosforge.split import SPLITS
from kronosforge.workspace.paths import MANIFEST, NATIVE, REPORT

SCHEMA = 1  # numbers the manifest's layout
PICKLES = tuple(f"{split}_data.pkl" for split in SPLITS)
DATASET_FILES = (*PICKLES, NATIVE, REPORT)
"""What a dataset's folder holds beside its manifest."""


def hand_over(dataset: Path, target: Path) -> None:
    """Copy the three pickles and the summary of `dataset` into `target`, all or none; other files there stay.

    A copy, not a link: who writes into Kronos' folder must not reach our dataset through it. Nothing happens where the
    dataset already lies there. Raises DiskError, BusyError.
    """
    if target.resolve() == dataset.resolve():
        return
    with (
        locked(target, _("Kronos' data folder {target}", target=target)),
        publishing(target, MANIFEST, PICKLES) as staging,
    ):
        for name in (*PICKLES, MANIFEST):
            shutil.copyfile(dataset / name, staging / name)
