"""`kronosforge train`: many models, each in a process of its own; or in this process, as torchrun needs it."""

import shlex
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kronosforge.cli.console import fleet_board, live_line, print_json, print_on_stderr
from kronosforge.cli.context import Context, model_flags, open_context
from kronosforge.cli.requirements import require_torch
from kronosforge.cli.results import print_costs, print_fleet, print_settings
from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _
from kronosforge.workspace.discovery import config_files
from kronosforge.workspace.overrides import Resolved, explain
from kronosforge.workspace.paths import model_folder

if TYPE_CHECKING:
    from kronosforge.workflows.progress import StageName


def run(arguments: Namespace) -> int:
    """Explain, plan or train the models named."""
    require_torch(_("training"))
    context = open_context(arguments)
    models = named_models(context)
    if arguments.explain or arguments.dry_run:
        return _preview(context, models)
    from kronosforge.workflows.train import in_group  # noqa: PLC0415 - loads torch

    if arguments.in_process or in_group():
        return _here(context, models)
    return train_models(context, models)


def train_models(context: Context, models: Mapping[str, Resolved]) -> int:
    """Train the models as the command line asks, print the result and return the exit code."""
    from kronosforge.workflows.train import Options, train_fleet  # noqa: PLC0415 - loads torch

    arguments = context.arguments
    with fleet_board() as watch:
        result = train_fleet(
            {name: model.config for name, model in models.items()},
            context.root,
            stages_of(arguments),
            Options(arguments.resume, arguments.force, arguments.accept_new_data),
            mode=arguments.mode,
            max_workers=arguments.max_workers,
            watch=watch,
            resume_commands={name: resume_command(arguments, name) for name in models},
        )
    print_json(result.as_json()) if arguments.json else print_fleet(result)
    return result.exit_code


def named_models(context: Context) -> dict[str, Resolved]:
    """Name → settings of every model that --models names. Raises UsageError where none is named, or one twice."""
    names = context.arguments.models or []
    if not names:
        known = ", ".join(config_files(str(context.root)))
        raise UsageError(_("--models is missing; this workspace has {value}", value=known))
    models = [context.model(name) for name in names]
    resolved = {model.config.name: model for model in models}
    if len(resolved) < len(models):
        twice = sorted(name for name in resolved if [model.config.name for model in models].count(name) > 1)
        raise UsageError(_("named twice: {twice}", twice=", ".join(twice)))
    return resolved


def stages_of(arguments: Namespace) -> "tuple[StageName, ...]":
    """The stages that --stage asks for."""
    return ("tokenizer", "predictor") if arguments.stage == "both" else (arguments.stage,)


def resume_command(arguments: Namespace, model: str) -> str:
    """What a person types to go on with `model`."""
    command = ["python", "Kronos/finetune/multi_model_trainer.py", "--models", model, "--stage", arguments.stage]
    new_data = ["--accept-new-data"] * arguments.accept_new_data
    return shlex.join([*command, *model_flags(arguments), *new_data, "--resume"])


def _preview(context: Context, models: Mapping[str, Resolved]) -> int:
    from kronosforge.workflows.train import training_cost  # noqa: PLC0415 - loads torch

    arguments, facts = context.arguments, {name: dict[str, Any]() for name in models}
    for name, model in models.items():
        if arguments.explain:
            rows = explain(model)
            facts[name]["knobs"] = [{"key": key, "value": value, "origin": origin} for key, value, origin in rows]
            if not arguments.json:
                print(name)
                print_settings(rows)
        if arguments.dry_run:
            print_on_stderr(_("Measuring training steps of {model} …", model=name))
            facts[name]["cost"] = training_cost(model.config, context.root, stages_of(arguments))
    if arguments.json:
        print_json(facts)
    elif arguments.dry_run:
        print_costs({name: fact["cost"] for name, fact in facts.items()})
    return 0


def _here(context: Context, models: Mapping[str, Resolved]) -> int:
    """Train in this process: what torchrun starts."""
    from kronosforge.workflows.fleet import read_stages  # noqa: PLC0415 - loads torch
    from kronosforge.workflows.progress import stage_lines  # noqa: PLC0415
    from kronosforge.workflows.train import Options, is_main_process, train_here  # noqa: PLC0415

    arguments, show = context.arguments, live_line()
    options = Options(arguments.resume, arguments.force, arguments.accept_new_data)
    facts = {}
    for name, model in models.items():
        trained = train_here(
            model.config,
            context.root,
            stages_of(arguments),
            options,
            keep=print_on_stderr,
            live=lambda line: show(line, False),
        )
        facts[name] = {"status": "done", "stages": read_stages(model_folder(context.root, name))}
        if is_main_process() and not arguments.json:
            for stage, result in trained.items():
                print("\n".join(stage_lines(stage, result)))
    if is_main_process() and arguments.json:
        print_json({"models": facts})
    return 0
