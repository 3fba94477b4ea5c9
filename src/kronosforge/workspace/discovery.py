"""The workspace's configs by name, without running one: imports nothing heavy, so that a listing starts like `--help`.

The workspace is the folder that holds `Kronos/finetune`, with one config file per model. os.path instead of pathlib,
and no typing: each would cost more than the listing itself.
"""

from __future__ import annotations

import ast
import os

from kronosforge.core.errors import ConfigError, UsageError
from kronosforge.core.i18n import tr

FINETUNE = os.path.join("Kronos", "finetune")
LISTED = ("model_name", "description", "timeframe", "target_symbols")


def find_root(start: str | None = None, script: str | None = None) -> str:
    """The workspace that `start` (default: the current folder) lies in, else the one `script` lies in.

    Raises UsageError where neither does.
    """
    for place in (start or os.getcwd(), os.path.dirname(os.path.abspath(script)) if script else None):
        folder = place and os.path.abspath(place)
        while folder:
            if os.path.isdir(os.path.join(folder, FINETUNE)):
                return folder
            parent = os.path.dirname(folder)
            folder = parent if parent != folder else None
    raise UsageError(
        tr(
            f"no workspace here: no folder above {os.getcwd()} holds {FINETUNE}; lay one with: kronosforge init DIR",
            f"这里没有工作区:{os.getcwd()} 及其上级目录都没有 {FINETUNE};可用 kronosforge init DIR 新建",
        )
    )


def config_files(root: str) -> dict[str, str]:
    """Name for the command line → path, of every `config_*.py` in the workspace, ascending."""
    folder = os.path.join(root, FINETUNE)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    files = [f for f in sorted(names, key=str.lower) if f.startswith("config_") and f.endswith(".py")]
    return {config_name(f): os.path.join(folder, f) for f in files if f != "config_manager.py"}


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
    found: dict[str, object] = {}
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
                found.setdefault(name, ast.literal_eval(value))
    return found


def _is_literal(node: ast.expr) -> bool:
    return all(isinstance(part, ast.Constant | ast.List | ast.Tuple | ast.Load) for part in ast.walk(node))


def config_path(name_or_path: str, root: str | None) -> str:
    """The file that `--config` means: a path as it stands, else a name in the workspace. Raises ConfigError."""
    if name_or_path.endswith(".py"):
        places = [
            name_or_path,
            os.path.join(root or "", name_or_path),
            os.path.join(root or "", FINETUNE, name_or_path),
        ]
        for place in places:
            if os.path.isfile(place):
                return os.path.abspath(place)
        raise ConfigError(tr(f"no such file: {name_or_path}", f"没有这个文件:{name_or_path}"))
    known = config_files(root or find_root())
    path = known.get(config_name(name_or_path + ".py"))
    if path is None:
        raise ConfigError(
            tr(
                f"no config named {name_or_path!r}; found: {', '.join(known) or 'none'}; a new model is a new file "
                f"{FINETUNE}/config_{name_or_path}.py",
                f"没有名为 {name_or_path!r} 的配置;现有:{', '.join(known) or '无'};新增模型只需新建文件 "
                f"{FINETUNE}/config_{name_or_path}.py",
            )
        )
    return path
