"""The workspace's configs by name, without running one: imports nothing heavy, so that a listing starts like `--help`.

The workspace is the folder that holds `Kronos/finetune`, with one config file per model. os.path instead of pathlib,
and no typing: each would cost more than the listing itself.
"""

from __future__ import annotations

import ast
import os

from kronosforge.core.errors import ConfigError, UsageError
from kronosforge.core.i18n import _
from kronosforge.core.suggestions import closest, did_you_mean

FINETUNE = os.path.join("Kronos", "finetune")
LISTED = ("model_name", "description", "timeframe", "target_symbols")


def find_root(start: str | None = None, script: str | None = None) -> str:
    """The workspace that `start` (default: the current folder) lies in, else the one `script` lies in.

    Raises UsageError where neither does.
    """
    here = start or _current_folder()
    for place in (here, os.path.dirname(os.path.abspath(script)) if script else None):
        folder = place and os.path.abspath(place)
        while folder:
            if os.path.isdir(os.path.join(folder, FINETUNE)):
                return folder
            parent = os.path.dirname(folder)
            folder = parent if parent != folder else None
    raise UsageError(
        _(
            "No workspace: neither {here} nor a folder above it holds {finetune}; create one with: "
            "kronosforge init DIR",
            here=here,
            finetune=FINETUNE,
        )
    )


def _current_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise UsageError(_("The current folder no longer exists; change to another one")) from None


def config_files(root: str) -> dict[str, str]:
    """Name for the command line → path, of every `config_*.py` in the workspace, ascending.

    Raises ConfigError where two files have the same name but for the case of its letters.
    """
    folder = os.path.join(root, FINETUNE)
    entries = os.listdir(folder) if os.path.isdir(folder) else []
    files: dict[str, str] = {}
    for entry in sorted(entries, key=lambda entry: (entry.lower(), entry)):
        if not (entry.startswith("config_") and entry.endswith(".py")) or entry == "config_manager.py":
            continue
        name = config_name(entry)
        if name in files:
            raise _same_name(folder, os.path.basename(files[name]), entry, name)
        files[name] = os.path.join(folder, entry)
    return files


def _same_name(folder: str, first: str, second: str, name: str) -> ConfigError:
    return ConfigError(
        _(
            "{first} and {second} in {folder} are both the model {name}, as names ignore case; rename or remove one",
            first=first,
            second=second,
            folder=folder,
            name=name,
        )
    )


def config_name(path: str) -> str:
    """`Kronos/finetune/config_model_A_4H.py` → `model_a_4h`."""
    return os.path.splitext(os.path.basename(path))[0].lower().removeprefix("config_")


def list_configs(root: str) -> list[dict[str, object]]:
    """Name, path, and what the file says literally of `LISTED`, of every config. Runs none of them."""
    return [{"name": name, "path": path, **_literals(path)} for name, path in config_files(root).items()]


def _literals(path: str) -> dict[str, object]:
    """The literal keyword arguments (or `self.x = …` of an upstream-style file) among LISTED. Empty if unreadable."""
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return {}
    literals: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in LISTED:
            pairs = [(node.arg, node.value)]
        elif isinstance(node, ast.Assign):
            pairs = [
                (t.attr if isinstance(t, ast.Attribute) else getattr(t, "id", ""), node.value) for t in node.targets
            ]
        else:
            continue
        for name, value in pairs:
            if name in LISTED and _is_literal(value):
                literals.setdefault(name, ast.literal_eval(value))
    return literals


def _is_literal(node: ast.expr) -> bool:
    return all(isinstance(part, ast.Constant | ast.List | ast.Tuple | ast.Load) for part in ast.walk(node))


def config_path(name_or_path: str, root: str | None) -> str:
    """The file that `--config` means: a path, or a model's name in any spelling. Raises ConfigError.

    A path may be relative to the current folder, the workspace or its `Kronos/finetune`. `Model_A_4H`, `model_a_4h`,
    `config_model_a_4h` and `config_model_A_4H.py` are the same name.
    """
    files = config_files(root) if root else {}
    folder, base = os.path.split(name_or_path)
    if base.endswith(".py"):
        for place in ("", root or "", os.path.join(root or "", FINETUNE)):
            path = os.path.join(place, name_or_path)
            if os.path.isfile(path):
                return os.path.abspath(path)
    name = config_name(base.removesuffix(".py") + ".py")
    in_workspace = os.path.basename(folder) in ("", os.path.basename(FINETUNE))
    if in_workspace and name in files:
        return files[name]
    raise _no_config(name_or_path, name, list(files))


def _no_config(given: str, name: str, names: list[str]) -> ConfigError:
    advice = did_you_mean(closest(name, names)) or _(
        "; a new model is a new file {finetune}/config_{name}.py", finetune=FINETUNE, name=name
    )
    return ConfigError(
        _(
            "There is no model {given!r} (available: {available}){advice}",
            given=given,
            available=", ".join(names) or _("none"),
            advice=advice,
        )
    )
