"""`kronosforge pipeline`: prepare, then train, each model; what is finished is kept."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from kronosforge import pipeline
from kronosforge.commands import train
from kronosforge.listing import config_files, find_root
from kronosforge.resolve import Resolved
from kronosforge.scope import Places, places
from kronosforge.text import tr
from kronosforge.workspace import environment

# What the dataset depends on: another value here means another dataset.
DATA = ("target_symbols", "timeframe", "records_per_timeframe", "since", "until", "source", "clean", "split", "dataset")


def run(arguments: Namespace) -> int:
    """Prepare and train the models named, or all but `default`."""
    root = find_root(script=arguments.script)
    arguments.models = arguments.models or [name for name in config_files(root) if name != "default"]
    arguments.stage, arguments.resume, arguments.accept_new_data = "both", not arguments.force, False
    resolved = train.resolved_models(arguments, root)
    environ = environment(root)
    for one in resolved.values():
        _prepare(arguments, one, places(one.config, Path(root), environ.get("KRONOS_HOME"), copy=True), environ)
    return train.train_all(arguments, resolved, Path(root))


def _prepare(arguments: Namespace, one: Resolved, where: Places, environ: dict[str, str]) -> None:
    kept = not arguments.force and _finished(one, where)
    if not kept:
        pipeline.prepare(one.config, where, environ, force=arguments.force)
    if not arguments.json:
        words = tr("kept", "已存在") if kept else tr("prepared", "已准备")
        print(f"✅ {one.config.name}: {tr('dataset', '数据集')} {words}, {where.dataset}", flush=True)


def _finished(one: Resolved, where: Places) -> bool:
    """True where the dataset of exactly this config stands."""
    try:
        made: Any = json.loads((where.dataset / "data_summary.json").read_text("utf-8"))["config"]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    asked = one.config.model_dump(mode="json")
    return made.get("name") == one.config.name and all(made.get(key) == asked[key] for key in DATA)
