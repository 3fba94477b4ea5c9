"""`kronosforge pipeline`: prepare → train → forecast → evaluate, each model; what is finished is kept."""

import json
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from kronosforge.cli import train
from kronosforge.cli.main import run as run_command
from kronosforge.core.i18n import tr
from kronosforge.workflows.prepare import prepare
from kronosforge.workspace.discovery import config_files, find_root
from kronosforge.workspace.loading import environment
from kronosforge.workspace.overrides import Resolved
from kronosforge.workspace.paths import MANIFEST, DatasetFolders, dataset_folders

# What the dataset depends on: another value here means another dataset.
DATA = ("target_symbols", "timeframe", "records_per_timeframe", "since", "until", "source", "clean", "split", "dataset")


def run(arguments: Namespace) -> int:
    """Go the whole way with the models named, or with all but `default`; one that fails does not stop the others."""
    root = find_root(script=arguments.script)
    arguments.models = arguments.models or [name for name in config_files(root) if name != "default"]
    arguments.stage, arguments.resume, arguments.accept_new_data = "both", not arguments.force, False
    resolved = train.resolved_models(arguments, root)
    environ = environment(root)
    for one in resolved.values():
        _prepare(arguments, one, dataset_folders(one.config, Path(root), kronos=environ.get("KRONOS_HOME")), environ)
    said: dict[str, Any] = {}
    with _kept(said, "train", arguments):
        code = train.train_all(arguments, resolved, Path(root))
    if not code:
        code = max(_judge(arguments, name, said) for name in resolved)
    if arguments.json:
        print(json.dumps(said, ensure_ascii=False))
    return code


def _judge(arguments: Namespace, model: str, said: dict[str, Any]) -> int:
    """Forecast the newest bars, and evaluate: the verdict comes last."""
    given = [f"--device={arguments.device}"] if arguments.device else []
    source = [f"--source={arguments.source}"] if arguments.source else []
    for words in (["forecast", *source], ["evaluate"]):
        if not arguments.json:
            print(f"— {model}: {words[0]}", flush=True)
        with _kept(said.setdefault(words[0], {}), model, arguments):
            line = [*words, "--config", model, *given, *["--json"] * arguments.json]
            code = run_command(line, script=arguments.script)
        if code:
            return code
    return 0


@contextmanager
def _kept(said: dict[str, Any], key: str, arguments: Namespace) -> Iterator[None]:
    """With --json, what a command prints becomes part of the one object that this one prints."""
    if not arguments.json:
        yield
        return
    with redirect_stdout(StringIO()) as printed:
        yield
    if text := printed.getvalue():
        said[key] = json.loads(text)


def _prepare(arguments: Namespace, one: Resolved, where: DatasetFolders, environ: dict[str, str]) -> None:
    kept = not arguments.force and _finished(one, where)
    if not kept:
        prepare(one.config, where, environ, force=arguments.force)
    if not arguments.json:
        words = tr("kept", "已存在") if kept else tr("prepared", "已准备")
        print(f"✅ {one.config.name}: {tr('dataset', '数据集')} {words}, {where.dataset}", flush=True)


def _finished(one: Resolved, where: DatasetFolders) -> bool:
    """True where the dataset of exactly this config stands."""
    try:
        made: Any = json.loads((where.dataset / MANIFEST).read_text("utf-8"))["config"]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    asked = one.config.model_dump(mode="json")
    return made.get("name") == one.config.name and all(made.get(key) == asked[key] for key in DATA)
