"""Copy a dataset into the folder from which Kronos' own trainer reads."""

import shutil
from pathlib import Path

from kronosforge.core.files import locked, publishing
from kronosforge.core.i18n import _
from kronosforge.split import SPLITS
from kronosforge.workspace.paths import MANIFEST, NATIVE, REPORT

SCHEMA = 1  # numbers the manifest's layout
PICKLES = tuple(f"{split}_data.pkl" for split in SPLITS)
DATASET_FILES = (*PICKLES, NATIVE, REPORT)
"""Files and folders of a dataset, without its manifest."""


def hand_over(dataset: Path, target: Path) -> None:
    """Copy the three pickles and the summary of `dataset` into `target`, all or none; other files there are kept.

    A copy, not a link: what is written into Kronos' folder must not change the dataset. Does nothing if `target` is the
    dataset's own folder. Raises DiskError, BusyError.
    """
    if target.resolve() == dataset.resolve():
        return
    with (
        locked(target, _("Kronos' data folder {target}", target=target)),
        publishing(target, MANIFEST, PICKLES) as staging,
    ):
        for name in (*PICKLES, MANIFEST):
            shutil.copyfile(dataset / name, staging / name)
