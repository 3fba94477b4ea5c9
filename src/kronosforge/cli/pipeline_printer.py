"""What `kronosforge pipeline` prints while it runs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from kronosforge.cli.console import fleet_board, forecasts_counter
from kronosforge.cli.results import print_evaluation, print_fleet, print_fleet_errors, print_forecast, print_pages
from kronosforge.core.boundary import print_error
from kronosforge.core.i18n import _

if TYPE_CHECKING:
    from kronosforge.workflows.evaluate import EvaluationResult
    from kronosforge.workflows.forecast import ForecastResult
    from kronosforge.workflows.full import Failure
    from kronosforge.workflows.prepare import PreparedDataset
    from kronosforge.workflows.train import FleetResult


class PipelinePrinter:
    """Prints the result of each stage of each model as soon as it is finished; with `quiet`, only what fails."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def begins(self, model: str, stage: str) -> None:
        """Print a heading."""
        if not self._quiet and stage != "prepare":
            print(f"— {model}: {stage}", flush=True)

    def prepared(self, model: str, dataset: "PreparedDataset") -> None:
        """Print the folder of the dataset, and whether it was kept."""
        if not self._quiet:
            state = _("kept") if dataset.kept else _("prepared")
            print(f"✅ {model}: {_('dataset')} {state}, {dataset.folder}", flush=True)

    def training(self) -> AbstractContextManager[Callable[[str, str], None]]:
        """Show the lines of the trainings."""
        return fleet_board()

    def trained(self, fleet: "FleetResult") -> None:
        """Print how the training of each model ended."""
        print_fleet_errors(fleet) if self._quiet else print_fleet(fleet)

    def evaluating(self, model: str) -> Callable[[int, int], None]:
        """Count forecasts in a live line."""
        return forecasts_counter(model)

    def evaluated(self, model: str, result: "EvaluationResult") -> None:
        """Print the verdict and the tables."""
        if not self._quiet:
            print_evaluation(result.evaluation, result.path)
        print_pages(result.pages, quiet=self._quiet)

    def forecast(self, model: str, result: "ForecastResult") -> None:
        """Print the forecast."""
        if not self._quiet:
            print_forecast(result.facts, result.folder)

    def failed(self, failure: "Failure") -> None:
        """Print at which stage a model failed, and why."""
        print_error(f"{failure.model}, {failure.stage}: {failure.error}")
