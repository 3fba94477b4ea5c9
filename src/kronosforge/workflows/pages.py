"""The pages that follow training and evaluation: one per model, and the one that links them."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kronosforge.config import ModelConfig
from kronosforge.core.errors import ConfigError
from kronosforge.report import write_fleet_page, write_model_report
from kronosforge.workspace.discovery import config_files
from kronosforge.workspace.loading import load_config
from kronosforge.workspace.paths import MANIFEST, dataset_folder


class Pages(NamedTuple):
    """The pages that were written, and why others were not."""

    written: list[Path]
    failures: dict[str, str]  # model → reason


def write_pages(configs: Iterable[ModelConfig], root: Path) -> Pages:
    """Write the models' pages and the one that links them. A page that cannot be written hides no result."""
    pages = Pages([], {})
    datasets = _datasets(root)
    for config in configs:
        try:
            page = write_model_report(root, config.name, dataset_folder(config, root))
            write_fleet_page(root, datasets)
        except Exception as error:  # noqa: BLE001 - what the page is about is done, whatever the page lacks
            pages.failures[config.name] = f"{type(error).__name__}: {error}"
        else:
            pages.written.append(page)
    return pages


def _datasets(root: Path) -> dict[str, Path]:
    """Model → the folder of its dataset, of every config that loads and has one."""
    folders = {}
    for name in config_files(str(root)):
        with suppress(ConfigError):  # a broken config has no row, and hides no other
            folder = dataset_folder(load_config(name, str(root)), root)
            if (folder / MANIFEST).exists():
                folders[name] = folder
    return folders
