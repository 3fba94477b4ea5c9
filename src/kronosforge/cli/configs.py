"""`kronosforge configs`, and `--list-configs`: the models of this workspace. Imports nothing heavy."""

from __future__ import annotations

import json

from kronosforge.core.i18n import _
from kronosforge.workspace.discovery import find_root, list_configs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Print every config's name, description, series and file."""
    configs = list_configs(find_root(script=arguments.script))
    if arguments.json:
        print(json.dumps({"configs": configs}, ensure_ascii=False))
        return 0
    print(_("Models of this workspace:"))
    for config in configs:
        keys = config.get("target_symbols")
        print(f"  {config['name']:<16} {config.get('description', '')}")
        print(f"  {'':<16} {', '.join(keys) if isinstance(keys, list) else '?'}")
        print(f"  {'':<16} {config['path']}")
    print(_("Prepare one with:"), "python prepare_kronos_data_simple.py --config NAME")
    return 0
