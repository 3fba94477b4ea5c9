"""`kronosforge train`: many models, each in a process of its own; or in this process, as torchrun needs it."""

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kronosforge.cli.console import fleet_board, live_line, print_json, print_on_stderr
from kronosforge.cli.context import Context, open_context
from kronosforge.cli.requirements import require_torch
from kronosforge.cli.results import print_fleet, print_fleet_errors
from kronosforge.cli.training import named_models, preview_training, stages_of, train_command
from kronosforge.core.i18n import _
from kronosforge.workspace.overrides import Resolved

if TYPE_CHECKING:
    from kronosforge.workflows.train import Mode, Options


def run(arguments: Namespace) -> int:
    """Explain, plan or train the models named."""
    require_torch(_("training"))
    from kronosforge.workflows.train import Options, in_group, train_in_process  # noqa: PLC0415 - loads torch

    context = open_context(arguments)
    models = named_models(context, arguments.models)
    if arguments.explain or arguments.dry_run:
        return preview_training(context, models)
    options = Options(arguments.resume, arguments.force, arguments.accept_new_data)
    if not (arguments.in_process or in_group()):
        mode, count, as_json = arguments.mode, arguments.max_workers, arguments.json
        return train_models(context, models, arguments.stage, options, mode=mode, max_workers=count, as_json=as_json)
    show, configs = live_line(), {name: model.config for name, model in models.items()}
    result = train_in_process(
        configs,
        context.root,
        stages_of(arguments.stage),
        options,
        keep=print_on_stderr,
        live=lambda line: show(line, False),
    )
    if result:
        print_json(result.as_json()) if arguments.json else print("\n".join(result.lines()))
    return 0


def train_models(
    context: Context,
    models: Mapping[str, Resolved],
    stage: str,
    options: "Options",
    *,
    mode: "Mode",
    max_workers: int | None = None,
    as_json: bool = False,
) -> int:
    """Train the models, each in a process of its own, print the result and return the exit code."""
    from kronosforge.workflows.train import train_fleet  # noqa: PLC0415 - loads torch

    new_data = ["--accept-new-data"] * options.new_data
    with fleet_board() as on_line:
        result = train_fleet(
            {name: model.config for name, model in models.items()},
            context.root,
            stages_of(stage),
            options,
            mode=mode,
            max_workers=max_workers,
            on_line=on_line,
            resume_commands={name: train_command(context, [name], stage, *new_data) for name in models},
        )
    if as_json:
        print_json(result.as_json())
        print_fleet_errors(result)
    else:
        print_fleet(result)
    return result.exit_code
