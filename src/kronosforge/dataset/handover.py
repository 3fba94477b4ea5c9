"""Copy a dataset into the folder from which Kronos' own trainer reads."""

import shutil
from pathlib import Path

from kronosforge.core.files import publishing
from kronosforge.core.i18n import _
from kronosforge.core.locks import locked
from kronosforge.workspace.paths import MANIFEST, PICKLES


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
