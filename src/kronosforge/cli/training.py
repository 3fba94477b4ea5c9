"""What `train`, `pipeline` and `quick_start` share: the models that are named, and the command line that trains them."""

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kronosforge.cli.console import print_json, print_on_stderr
from kronosforge.cli.context import Context, model_flags
from kronosforge.cli.results import print_costs, print_settings
from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _
from kronosforge.workspace.discovery import FINETUNE, config_files
from kronosforge.workspace.overrides import Resolved, explain

if TYPE_CHECKING:
    from kronosforge.workflows.progress import StageName

SCRIPT = "multi_model_trainer.py"


def all_models(context: Context) -> list[str]:
    """The models of the workspace but `default`, which is there to be copied."""
    return [name for name in config_files(str(context.root)) if name != "default"]


def named_models(context: Context, names: Sequence[str] | None) -> dict[str, Resolved]:
    """Name → settings of the models `names`. Raises UsageError where none is named, or one twice."""
    if not names:
        available = ", ".join(config_files(str(context.root)))
        raise UsageError(_("--models is missing; this workspace has {value}", value=available))
    models = [context.model(name) for name in names]
    resolved = {model.config.name: model for model in models}
    if len(resolved) < len(models):
        twice = sorted(name for name in resolved if [model.config.name for model in models].count(name) > 1)
        raise UsageError(_("named twice: {twice}", twice=", ".join(twice)))
    return resolved


def stages_of(stage: str) -> "tuple[StageName, ...]":
    """The stages that a value of --stage means."""
    stages: tuple[StageName, ...] = ("tokenizer", "predictor")
    return tuple(name for name in stages if stage in (name, "both"))


def train_command(context: Context, models: Iterable[str], stage: str, *options: str) -> str:
    """What a person types in the current folder to train `models`, or to continue them, with the settings given here."""
    script = os.path.relpath(context.root / FINETUNE / SCRIPT)
    command = ["python", script, "--models", *models, "--stage", stage, *options, "--resume"]
    return shlex.join([*command, *model_flags(context.arguments)])


def preview_training(context: Context, models: Mapping[str, Resolved]) -> int:
    """Print what --explain and --dry-run ask for: each setting, and what the training will cost. Returns the exit code."""
    from kronosforge.workflows.train import training_cost  # noqa: PLC0415 - loads torch

    arguments, facts = context.arguments, {name: dict[str, Any]() for name in models}
    for name, model in models.items():
        if arguments.explain:
            rows = explain(model)
            facts[name]["settings"] = [row._asdict() for row in rows]
            if not arguments.json:
                print(name)
                print_settings(rows)
        if arguments.dry_run:
            print_on_stderr(_("Measuring training steps of {model} …", model=name))
            facts[name]["cost"] = training_cost(model.config, context.root, stages_of(arguments.stage))
    if arguments.json:
        print_json(facts)
    elif arguments.dry_run:
        print_costs({name: fact["cost"] for name, fact in facts.items()})
    return 0
