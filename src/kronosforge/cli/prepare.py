"""`kronosforge prepare`: exchange candles in, a verified Kronos dataset out."""

from argparse import Namespace
from typing import Any

from kronosforge.cli.console import confirmed, download_bars, print_json
from kronosforge.cli.context import Context, open_context
from kronosforge.cli.results import print_dataset, print_plan, print_settings
from kronosforge.core.errors import ExistsError, UsageError
from kronosforge.core.i18n import _
from kronosforge.workflows.plan import plan
from kronosforge.workflows.prepare import prepare, refuse_warnings
from kronosforge.workspace.overrides import Resolved, explain
from kronosforge.workspace.paths import DatasetFolders, dataset_folders


def run(arguments: Namespace) -> int:
    """Explain, plan or prepare one model."""
    if not arguments.config:
        raise UsageError(_("--config is missing; --list-configs shows the names it takes"))
    context = open_context(arguments)
    resolved = context.model(arguments.config)
    where = dataset_folders(
        resolved.config, context.root, context.environ, kronos_dir=arguments.kronos_dir, copy=not arguments.no_copy
    )
    if arguments.explain or arguments.dry_run:
        return _preview(context, resolved, where)
    with download_bars() as progress:
        dataset = prepare(
            resolved.config, where, context.environ,
            force=arguments.force, strict=arguments.strict, progress=progress, replace=_may_replace,
        )  # fmt: skip
    print_json(dataset.as_json()) if arguments.json else print_dataset(dataset)
    return 0


def _preview(context: Context, resolved: Resolved, where: DatasetFolders) -> int:
    arguments, facts = context.arguments, dict[str, Any]()
    if arguments.explain:
        rows = explain(resolved)
        facts["settings"] = [row._asdict() for row in rows]
        if not arguments.json:
            print_settings(rows)
    if arguments.dry_run:
        facts["plan"] = plan(resolved.config, where, context.environ)
        if not arguments.json:
            print_plan(facts["plan"])
    if arguments.json:
        print_json(facts)
    if arguments.strict and arguments.dry_run:
        refuse_warnings(facts["plan"]["warnings"])
    return 0


def _may_replace(error: ExistsError) -> bool:
    """Whether a person on a terminal agrees to replace the dataset that the error describes."""
    return confirmed(f"{error}\n" + _("Replace it?"))
