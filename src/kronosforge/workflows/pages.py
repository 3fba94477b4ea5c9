"""The pages that follow training and evaluation: one per model, and the one that links them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from kronosforge.config import ModelConfig
from kronosforge.core.errors import ConfigError
from kronosforge.core.i18n import _
from kronosforge.report import write_fleet_page, write_model_report
from kronosforge.workspace.discovery import config_files
from kronosforge.workspace.loading import load_config
from kronosforge.workspace.paths import MANIFEST, dataset_folder


class Pages(NamedTuple):
    """The pages that were written, and why others were not."""

    written: list[Path]
    failures: dict[str, str]  # model, or all of them → reason


def write_pages(configs: Iterable[ModelConfig], root: Path) -> Pages:
    """Write the models' pages and the one that links them. A page that cannot be written hides no result."""
    pages = Pages([], {})
    for config in configs:
        with _reported(pages, config.name):
            pages.written.append(write_model_report(root, config.name, dataset_folder(config, root)))
    if pages.written:
        with _reported(pages, _("all models")):
            write_fleet_page(root, _datasets(root))
    return pages


@contextmanager
def _reported(pages: Pages, name: str) -> Iterator[None]:
    """Note among the failures of `pages` why the page of `name` could not be written."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - what the page is about is done, whatever the page lacks
        pages.failures[name] = f"{type(error).__name__}: {error}"


def _datasets(root: Path) -> dict[str, Path]:
    """Model → the folder of its dataset, of every config that loads and has one."""
    folders = {}
    for name in config_files(str(root)):
        with suppress(ConfigError):  # a broken config has no row, and hides no other
            folder = dataset_folder(load_config(name, str(root)), root)
            if (folder / MANIFEST).exists():
                folders[name] = folder
    return folders
