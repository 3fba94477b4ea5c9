"""The pages at the end of a command."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from kronosforge.config import ModelConfig
from kronosforge.core.errors import ConfigError
from kronosforge.core.i18n import tr
from kronosforge.report import write_fleet_page, write_model_report
from kronosforge.workspace.discovery import config_files
from kronosforge.workspace.loading import load_config
from kronosforge.workspace.paths import MANIFEST, dataset_folder


def write_pages(configs: Iterable[ModelConfig], root: Path, *, quiet: bool = False) -> None:
    """Write the models' pages and the one that links them, and print where they are unless `quiet`.

    A page that cannot be written is told in a line, and hides no result.
    """
    for config in configs:
        try:
            page = write_model_report(root, config.name, dataset_folder(config, root))
            write_fleet_page(root, _datasets(root))
        except Exception as error:  # noqa: BLE001 - what the page is about is done, whatever the page lacks
            why = f"{type(error).__name__}: {error}"
            print(tr(f"No report of {config.name}: {why}", f"{config.name} 没有报告:{why}"), file=sys.stderr)
        else:
            if not quiet:
                print(tr("Report:", "报告:"), page)


def _datasets(root: Path) -> dict[str, Path]:
    """Model → the folder of its dataset, of every config that loads and has one."""
    folders = {}
    for name in config_files(str(root)):
        with suppress(ConfigError):
            folder = dataset_folder(load_config(name, str(root)), root)
            if (folder / MANIFEST).exists():
                folders[name] = folder
    return folders
