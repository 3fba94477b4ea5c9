"""`kronosforge verify DATASET`: prove that a finished dataset is whole, readable, counted right and leaks nothing."""

import json
from argparse import Namespace
from pathlib import Path

from kronosforge.core.errors import DataError
from kronosforge.core.i18n import tr
from kronosforge.dataset.verify import verify
from kronosforge.workspace.discovery import find_root
from kronosforge.workspace.loading import load_config


def run(arguments: Namespace) -> int:
    """A line per check. Raises DataError where one does not hold."""
    folder = _folder(arguments)
    checks = verify(folder)
    failed = [check for check in checks if not check.ok]
    if arguments.json:
        listed = [check._asdict() for check in checks]
        print(json.dumps({"dataset": str(folder), "ok": not failed, "checks": listed}, ensure_ascii=False))
    else:
        for check in checks:
            print("✅" if check.ok else "❌", f"{check.name}: {check.detail}")
    if failed:
        raise DataError(
            tr(
                f"{folder}: {len(failed)} of {len(checks)} checks failed ({failed[0].name}); prepare it again with --force",
                f"{folder}:{len(checks)} 项检查中 {len(failed)} 项未通过({failed[0].name});请用 --force 重新生成",
            )
        )
    return 0


def _folder(arguments: Namespace) -> Path:
    given = Path(arguments.dataset)
    if given.is_dir():
        return given.resolve()
    root = find_root(script=arguments.script)
    if (Path(root) / given).is_dir():
        return Path(root) / given
    return Path(root) / load_config(arguments.dataset, root).dataset_path
