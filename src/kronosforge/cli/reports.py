"""The pages at the end of a command."""

import sys
from collections.abc import Iterable
from pathlib import Path

from kronosforge.config import ModelConfig
from kronosforge.core.i18n import tr
from kronosforge.report import write_fleet_page, write_model_report


def write_pages(configs: Iterable[ModelConfig], root: Path, *, quiet: bool = False) -> None:
    """Write the models' pages and the one that links them, and print where they are unless `quiet`.

    A page that cannot be written is told in a line, and hides no result.
    """
    for config in configs:
        try:
            page = write_model_report(root, config.name, (root / config.dataset_path).resolve())
            write_fleet_page(root)
        except Exception as error:  # noqa: BLE001 - what the page is about is done, whatever the page lacks
            why = f"{type(error).__name__}: {error}"
            print(tr(f"No report of {config.name}: {why}", f"{config.name} 没有报告:{why}"), file=sys.stderr)
        else:
            if not quiet:
                print(tr("Report:", "报告:"), page)
