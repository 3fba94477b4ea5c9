"""`kronosforge forecast`: the next bars of a model's series, as paths, quantiles and pictures."""

from argparse import Namespace
from pathlib import Path

from kronosforge.cli.console import print_json
from kronosforge.cli.context import open_context
from kronosforge.cli.requirements import require_torch
from kronosforge.cli.results import print_forecast
from kronosforge.core.i18n import _


def run(arguments: Namespace) -> int:
    """Forecast the config's series, or those named."""
    require_torch(_("forecasting"))
    from kronosforge.workflows.forecast import forecast  # noqa: PLC0415 - loads torch
    from kronosforge.workflows.recent import with_dataset_source  # noqa: PLC0415 - loads polars

    context = open_context(arguments)
    result = forecast(
        with_dataset_source(context.model(arguments.config), context.root),
        context.root,
        context.environ,
        series=arguments.series or (),
        at=arguments.at,
        weights=arguments.weights,
        sliding=arguments.sliding,
        raw=arguments.raw,
        folder=Path(arguments.out).absolute() if arguments.out else None,
    )
    print_json(result.as_json()) if arguments.json else print_forecast(result.facts, result.folder)
    return 0
