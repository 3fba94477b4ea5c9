"""`quick_start_multi_model.py`: look at the machine, ask what to train, show the command, run it."""

import importlib.metadata
import importlib.util
import platform
import shlex
import shutil
import sys
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

from kronosforge.cli.console import print_table
from kronosforge.cli.context import Context, model_flags, open_context
from kronosforge.cli.requirements import require_torch
from kronosforge.cli.train import named_models, train_models
from kronosforge.core.errors import DataError, KronosForgeError, UsageError
from kronosforge.core.i18n import _
from kronosforge.workflows.prepare import is_prepared
from kronosforge.workspace.discovery import config_files
from kronosforge.workspace.paths import dataset_folders


def run(arguments: Namespace) -> int:
    """Check, ask, show, train."""
    context = open_context(arguments)
    models = [name for name in config_files(str(context.root)) if name != "default"]
    ready = [name for name in models if _prepared(context, name)]
    _print_checks(context.root, models, ready)
    if not ready:
        raise DataError(
            _(
                "no dataset is prepared yet; run python prepare_kronos_data_simple.py --config {models}",
                models=models[0],
            )
        )
    if not (arguments.yes or (sys.stdin and sys.stdin.isatty())):
        raise UsageError(_("this asks questions on a terminal; --yes takes the defaults"))
    ask = _default if arguments.yes else _ask
    chosen = ask(_("models"), [*ready, "all"], "all")
    arguments.models = ready if chosen == "all" else [chosen]
    arguments.stage = ask(_("stage"), ["tokenizer", "predictor", "both"], "both")
    arguments.mode = ask(_("mode"), ["sequential", "parallel"], "sequential")
    print(_("the same as:"), _command(arguments), flush=True)
    require_torch(_("training"))
    return train_models(context, named_models(context))


def _command(arguments: Namespace) -> str:
    """The command line that trains the same without a question."""
    command = ["python", "multi_model_trainer.py", "--models", *arguments.models]
    command += ["--stage", arguments.stage, "--mode", arguments.mode, "--resume", *model_flags(arguments)]
    return shlex.join(command)


def _print_checks(root: Path, models: list[str], ready: list[str]) -> None:
    free = shutil.disk_usage(root).free / 1e9
    missing = _("missing: pip install -e '.[train]'")
    torch = importlib.metadata.version("torch") if importlib.util.find_spec("torch") else missing
    print_table(
        [_("check"), _("found")],
        [
            ["Python", platform.python_version()],
            ["torch", torch],
            [_("disk free"), f"{free:.1f} GB"],
            [_("workspace"), str(root)],
            [_("models"), ", ".join(models)],
            [_("datasets ready"), ", ".join(ready) or _("none")],
        ],
    )


def _prepared(context: Context, model: str) -> bool:
    """Whether the model's dataset is finished; a broken config or dataset counts as not."""
    with suppress(KronosForgeError):
        config = context.model(model).config
        return is_prepared(config, dataset_folders(config, context.root, copy=False))
    return False


def _default(what: str, choices: list[str], default: str) -> str:
    print(f"{what}: {default}")
    return default


def _ask(what: str, choices: list[str], default: str) -> str:
    """The person's choice, by name or number; the default on an empty line."""
    listed = "  ".join(f"{n}) {choice}" for n, choice in enumerate(choices, 1))
    while True:
        print(f"{what}:  {listed}  [{default}] ", end="", flush=True)
        answer = sys.stdin.readline()
        if not answer:
            raise KeyboardInterrupt
        answer = answer.strip() or default
        if answer.isdecimal() and 0 < int(answer) <= len(choices):
            return choices[int(answer) - 1]
        if answer in choices:
            return answer
        print(_("found {answer!r}; choose one of {choices}", answer=answer, choices=", ".join(choices)))
