"""`quick_start_multi_model.py`: look at the machine, ask what to train, show the command, run it."""

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
from kronosforge.core.i18n import tr
from kronosforge.workflows.existing import existing
from kronosforge.workspace.discovery import config_files
from kronosforge.workspace.paths import dataset_folder


def run(arguments: Namespace) -> int:
    """Check, ask, show, train."""
    context = open_context(arguments)
    models = [name for name in config_files(str(context.root)) if name != "default"]
    ready = [name for name in models if _prepared(context, name)]
    _print_checks(context.root, models, ready)
    if not ready:
        raise DataError(
            tr(
                f"no dataset is prepared yet; run python prepare_kronos_data_simple.py --config {models[0]}",
                f"还没有准备好的数据集;请先运行 python prepare_kronos_data_simple.py --config {models[0]}",
            )
        )
    if not (arguments.yes or (sys.stdin and sys.stdin.isatty())):
        raise UsageError(
            tr("this asks questions on a terminal; --yes takes the defaults", "该脚本需要在终端中询问;--yes 使用默认值")
        )
    ask = _default if arguments.yes else _ask
    chosen = ask(tr("models", "模型"), [*ready, "all"], "all")
    arguments.models = ready if chosen == "all" else [chosen]
    arguments.stage = ask(tr("stage", "阶段"), ["tokenizer", "predictor", "both"], "both")
    arguments.mode = ask(tr("mode", "方式"), ["sequential", "parallel"], "sequential")
    print(tr("the same as:", "等价命令:"), _command(arguments), flush=True)
    require_torch(tr("training", "训练"))
    return train_models(context, named_models(context))


def _command(arguments: Namespace) -> str:
    """The command line that trains the same without a question."""
    command = ["python", "multi_model_trainer.py", "--models", *arguments.models]
    command += ["--stage", arguments.stage, "--mode", arguments.mode, "--resume", *model_flags(arguments)]
    return shlex.join(command)


def _print_checks(root: Path, models: list[str], ready: list[str]) -> None:
    free = shutil.disk_usage(root).free / 1e9
    torch = "torch" if importlib.util.find_spec("torch") else tr("missing: pip install -e '.[train]'", "缺失")
    print_table(
        [tr("check", "检查"), tr("found", "结果")],
        [
            ["Python", platform.python_version()],
            ["torch", torch],
            [tr("disk free", "可用磁盘"), f"{free:.1f} GB"],
            [tr("workspace", "工作区"), str(root)],
            [tr("models", "模型"), ", ".join(models)],
            [tr("datasets ready", "已备数据集"), ", ".join(ready) or tr("none", "无")],
        ],
    )


def _prepared(context: Context, model: str) -> bool:
    """Whether the model's dataset is finished; a broken config or dataset counts as not."""
    with suppress(KronosForgeError):
        config = context.model(model).config
        return existing(dataset_folder(config, context.root), config) is not None
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
        print(
            tr(
                f"found {answer!r}; choose one of {', '.join(choices)}",
                f"{answer!r} 无效;请从 {', '.join(choices)} 中选择",
            )
        )
