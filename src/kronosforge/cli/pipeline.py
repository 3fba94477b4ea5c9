"""`kronosforge pipeline`: prepare → train → forecast → evaluate, each model; what is finished is kept."""

from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from kronosforge.cli.console import fleet_board, forecasts_counter, print_json
from kronosforge.cli.context import open_context
from kronosforge.cli.requirements import require_torch
from kronosforge.cli.results import print_evaluation, print_fleet, print_forecast, print_pages
from kronosforge.cli.train import named_models, resume_command
from kronosforge.core.boundary import print_error
from kronosforge.core.i18n import _
from kronosforge.workspace.discovery import config_files

if TYPE_CHECKING:
    from kronosforge.workflows.evaluate import EvaluationResult
    from kronosforge.workflows.forecast import ForecastResult
    from kronosforge.workflows.full import Failure
    from kronosforge.workflows.prepare import PreparedDataset
    from kronosforge.workflows.train import FleetResult


def run(arguments: Namespace) -> int:
    """Go the whole way with the models named, or with all but `default`."""
    require_torch(_("training"))
    from kronosforge.workflows.full import Settings, full  # noqa: PLC0415 - loads torch

    context = open_context(arguments)
    arguments.models = arguments.models or [name for name in config_files(str(context.root)) if name != "default"]
    arguments.stage, arguments.accept_new_data = "both", False
    models = named_models(context)
    settings = Settings(arguments.mode, arguments.max_workers, arguments.force, arguments.strict)
    result = full(
        {name: model.config for name, model in models.items()},
        context.root,
        context.environ,
        settings,
        watch=Watch(quiet=arguments.json),
        resume_commands={name: resume_command(arguments, name) for name in models},
    )
    if arguments.json:
        print_json(result.as_json())
    if result.failures and len(models) > 1:
        _print_failures(result.failures, len(models))
    return result.exit_code


def _print_failures(failures: "list[Failure]", models: int) -> None:
    """Say once more, at the end, which models failed."""
    count, names = (
        len({failure.model for failure in failures}),
        ", ".join(f"{failure.model} ({failure.stage})" for failure in failures),
    )
    print_error(_("{count} of {models} models failed: {names}", count=count, models=models, names=names))


class Watch:
    """Prints what each stage made of each model, as soon as it is there; with `quiet`, only what goes wrong."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def begins(self, model: str, stage: str) -> None:
        """Print a heading."""
        if not self._quiet and stage != "prepare":
            print(f"— {model}: {stage}", flush=True)

    def prepared(self, model: str, dataset: "PreparedDataset") -> None:
        """Print where the dataset is, and whether it was there already."""
        if not self._quiet:
            state = _("kept") if dataset.kept else _("prepared")
            print(f"✅ {model}: {_('dataset')} {state}, {dataset.folder}", flush=True)

    def training(self) -> AbstractContextManager[Callable[[str, str], None]]:
        """Show the lines of the trainings."""
        return fleet_board()

    def trained(self, fleet: "FleetResult") -> None:
        """Print how each model's training ended."""
        if not self._quiet:
            print_fleet(fleet)

    def forecast(self, model: str, result: "ForecastResult") -> None:
        """Print the forecast."""
        if not self._quiet:
            print_forecast(result.facts, result.folder)

    def evaluating(self, model: str) -> Callable[[int, int], None]:
        """Count forecasts in a live line."""
        return forecasts_counter(model)

    def evaluated(self, model: str, result: "EvaluationResult") -> None:
        """Print the verdict and the tables."""
        if not self._quiet:
            print_evaluation(result.evaluation, result.path)
        print_pages(result.pages, quiet=self._quiet)

    def failed(self, failure: "Failure") -> None:
        """Say at once where a model's way ends, and why."""
        print_error(f"{failure.model}, {failure.stage}: {failure.error}")
