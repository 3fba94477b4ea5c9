"""`quick_start_multi_model.py`: look at the machine, ask what to train, show the command, run it."""

import importlib.util
import json
import platform
import shlex
import shutil
import sys
from argparse import Namespace
from pathlib import Path

from kronosforge.cli import train
from kronosforge.cli.console import print_table
from kronosforge.cli.parser import build_parser
from kronosforge.core.errors import DataError, UsageError
from kronosforge.core.i18n import tr
from kronosforge.workspace.discovery import config_files, find_root
from kronosforge.workspace.loading import load_config
from kronosforge.workspace.overrides import KNOBS
from kronosforge.workspace.paths import MANIFEST, dataset_folder


def run(arguments: Namespace) -> int:
    """Check, ask, show, train."""
    root = Path(find_root(script=arguments.script))
    models = [name for name in config_files(str(root)) if name != "default"]
    ready = [name for name in models if _prepared(root, name)]
    _print_checks(root, models, ready)
    if not ready:
        raise DataError(
            tr(
                f"no dataset is prepared yet; run python prepare_kronos_data_simple.py --config {models[0]}",
                f"还没有准备好的数据集;请先运行 python prepare_kronos_data_simple.py --config {models[0]}",
            )
        )
    if not (arguments.yes or sys.stdin.isatty()):
        raise UsageError(
            tr("this asks questions on a terminal; --yes takes the defaults", "该脚本需要在终端中询问;--yes 使用默认值")
        )
    ask = _default if arguments.yes else _ask
    chosen = ask(tr("models", "模型"), [*ready, "all"], "all")
    stage = ask(tr("stage", "阶段"), ["tokenizer", "predictor", "both"], "both")
    mode = ask(tr("mode", "方式"), ["sequential", "parallel"], "sequential")
    words = ["train", "--models", *(ready if chosen == "all" else [chosen]), "--stage", stage, "--mode", mode]
    words += ["--resume", *_knobs(arguments)]
    print(tr("the same as:", "等价命令:"), shlex.join(["python", "multi_model_trainer.py", *words[1:]]), flush=True)
    return train.run(_parsed(words, arguments.script))


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


def _prepared(root: Path, model: str) -> bool:
    try:
        summary = json.loads((dataset_folder(load_config(model, str(root)), root) / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return "fingerprint" in summary


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


def _knobs(arguments: Namespace) -> list[str]:
    given: list[str] = []
    for knob in KNOBS:
        value = getattr(arguments, knob.flag.strip("-").replace("-", "_"), None)
        if value is not None:
            given += [knob.flag] if value is True else [knob.flag, str(value)]
    return given


def _parsed(words: list[str], script: str) -> Namespace:
    arguments = build_parser().parse_args(words)
    arguments.script = script
    return arguments
