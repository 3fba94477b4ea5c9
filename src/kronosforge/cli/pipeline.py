"""`kronosforge pipeline`: prepare → train → evaluate → forecast, for each model; what is finished is kept."""

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kronosforge.cli.console import print_json
from kronosforge.cli.context import open_context
from kronosforge.cli.pipeline_printer import PipelinePrinter
from kronosforge.cli.requirements import require_torch
from kronosforge.cli.training import all_models, named_models, train_command
from kronosforge.core.boundary import print_error
from kronosforge.core.i18n import _

if TYPE_CHECKING:
    from kronosforge.workflows.full import Failure


def run(arguments: Namespace) -> int:
    """Run every stage for the models named, or for all but `default`."""
    require_torch(_("training"))
    from kronosforge.workflows.full import Settings, full  # noqa: PLC0415 - loads torch

    context = open_context(arguments)
    models = named_models(context, arguments.models or all_models(context))
    result = full(
        {name: model.config for name, model in models.items()},
        context.root,
        context.environ,
        Settings(arguments.mode, arguments.max_workers, arguments.force, arguments.strict),
        reporter=PipelinePrinter(quiet=arguments.json),
        resume_commands={name: train_command(context, [name], "both") for name in models},
    )
    if arguments.json:
        print_json(result.as_json())
    if result.failures and len(models) > 1:
        _print_failures(result.failures, len(models))
    return result.exit_code


def _print_failures(failures: "Sequence[Failure]", models: int) -> None:
    """Print which models failed at which stage; why was printed already."""
    names = ", ".join(f"{failure.model} ({failure.stage})" for failure in failures)
    print_error(_("{count} of {models} models failed: {names}", count=len(failures), models=models, names=names))
