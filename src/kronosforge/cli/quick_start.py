"""`quick_start_multi_model.py`: check the machine, ask what to train, show the command, run it."""

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from kronosforge.cli.console import asked, print_table
from kronosforge.cli.context import Context, open_context
from kronosforge.cli.requirements import require_torch
from kronosforge.cli.train import train_models
from kronosforge.cli.training import all_models, named_models, train_command
from kronosforge.core.errors import DataError, KronosForgeError, UsageError
from kronosforge.core.i18n import _
from kronosforge.workflows.prepare import is_prepared
from kronosforge.workspace.paths import dataset_folders


def run(arguments: Namespace) -> int:
    """Print the checks, ask for models, stage and mode, and train."""
    context = open_context(arguments)
    models = all_models(context)
    ready = [name for name in models if _is_prepared(context, name)]
    _print_checks(context, models, ready)
    if not ready:
        example = models[0] if models else "default"
        raise DataError(
            _("No dataset is prepared yet; run: python prepare_kronos_data_simple.py --config {models}", models=example)
        )
    if not (arguments.yes or (sys.stdin and sys.stdin.isatty())):
        raise UsageError(_("This command asks questions and needs a terminal; use --yes to take the defaults"))
    answer = asked(_("models"), [*ready, "all"], "all", ask=not arguments.yes)
    names = ready if answer == "all" else [answer]
    stage = asked(_("stage"), ["tokenizer", "predictor", "both"], "both", ask=not arguments.yes)
    mode = asked(_("mode"), ["sequential", "parallel"], "sequential", ask=not arguments.yes)
    print(_("the same as:"), train_command(context, names, stage, "--mode", mode), flush=True)
    require_torch(_("training"))
    from kronosforge.workflows.train import Mode, Options  # noqa: PLC0415 - loads torch

    return train_models(context, named_models(context, names), stage, Options(resume=True), mode=cast(Mode, mode))


def _print_checks(context: Context, models: Sequence[str], ready: Sequence[str]) -> None:
    free = shutil.disk_usage(context.root).free / 1e9
    missing = _("missing: pip install -e '.[train]'")
    torch = importlib.metadata.version("torch") if importlib.util.find_spec("torch") else missing
    print_table(
        [_("check"), _("found")],
        [
            ["Python", platform.python_version()],
            ["torch", torch],
            [_("disk free"), f"{free:.1f} GB"],
            [_("workspace"), str(context.root)],
            [_("models"), ", ".join(models)],
            [_("datasets ready"), ", ".join(ready) or _("none")],
        ],
    )


def _is_prepared(context: Context, model: str) -> bool:
    """Whether the model's dataset is finished; a broken config or dataset counts as not."""
    with suppress(KronosForgeError):
        config = context.model(model).config
        return is_prepared(config, dataset_folders(config, context.root, copy=False))
    return False
