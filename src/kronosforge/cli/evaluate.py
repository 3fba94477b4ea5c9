"""`kronosforge evaluate`: one model on its test split, the verdict first; with --folds, a walk-forward."""

from argparse import Namespace
from typing import TYPE_CHECKING

from kronosforge.cli.console import forecasts_counter, print_json
from kronosforge.cli.context import Context, open_context
from kronosforge.cli.requirements import require_torch
from kronosforge.cli.results import print_evaluation, print_pages
from kronosforge.core.i18n import _

if TYPE_CHECKING:
    from kronosforge.config import ModelConfig
    from kronosforge.workflows.evaluate import EvaluationResult
    from kronosforge.workspace.overrides import Resolved


def run(arguments: Namespace) -> int:
    """Evaluate the model and print the result. No edge is an outcome, not an error."""
    require_torch(_("evaluating"))
    context = open_context(arguments)
    resolved = context.model(arguments.config)
    result = _evaluate(context, resolved.config) if arguments.folds is None else _walk(context, resolved)
    print_pages(result.pages, quiet=arguments.json)
    return 0


def _evaluate(context: Context, config: "ModelConfig") -> "EvaluationResult":
    from kronosforge.workflows.evaluate import evaluate  # noqa: PLC0415 - loads torch

    arguments = context.arguments
    progress = forecasts_counter(config.name)
    result = evaluate(config, context.root, models=arguments.models, force=arguments.force, progress=progress)
    print_json(result.as_json()) if arguments.json else print_evaluation(result.evaluation, result.path)
    return result


def _walk(context: Context, resolved: "Resolved") -> "EvaluationResult":
    from kronosforge.cli.walk_forward import ConsoleWalkProgress, print_walk  # noqa: PLC0415 - loads torch
    from kronosforge.workflows.evaluate import evaluate_folds  # noqa: PLC0415

    arguments = context.arguments
    result = evaluate_folds(
        resolved.config,
        arguments.folds,
        context.root,
        models=arguments.models,
        force=arguments.force,
        watch=ConsoleWalkProgress(resolved.config.name, arguments.folds),
        overridden=resolved.overridden,
    )
    print_json(result.as_json()) if arguments.json else print_walk(result.evaluation, result.path)
    return result
