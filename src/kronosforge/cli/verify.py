"""`kronosforge verify DATASET`: prove that a finished dataset is whole, readable, counted right and leaks nothing."""

from argparse import Namespace
from pathlib import Path

from kronosforge.cli.console import print_json
from kronosforge.cli.context import open_context
from kronosforge.core.errors import DataError, UsageError
from kronosforge.core.i18n import _
from kronosforge.workflows.verify import verify_dataset
from kronosforge.workspace.paths import MANIFEST, dataset_folder


def run(arguments: Namespace) -> int:
    """Print a line per check. Raises DataError where one does not hold, ConfigError for a name that is no model's."""
    folder = _folder(arguments)
    if not (folder / MANIFEST).exists():
        raise DataError(
            _(
                "{folder} holds no finished dataset; prepare it with: kronosforge prepare --config {name}",
                folder=folder,
                name=arguments.dataset,
            )
        )
    verification = verify_dataset(folder)
    if arguments.json:
        print_json(verification.as_json())
    else:
        for check in verification.checks:
            print("✅" if check.ok else "❌", f"{check.name}: {check.detail}")
    verification.refuse_failures()
    return 0


def _folder(arguments: Namespace) -> Path:
    """The folder that is named, else the folder of the model's dataset."""
    named = Path(arguments.dataset)
    if named.is_dir():
        return named.resolve()
    if named.is_absolute() and not named.exists():
        raise UsageError(_("There is no folder {folder}", folder=named))
    context = open_context(arguments)
    if (context.root / named).is_dir():
        return context.root / named
    return dataset_folder(context.model(arguments.dataset).config, context.root)
