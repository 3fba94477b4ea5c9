"""`kronosforge init DIR`: create a workspace."""

from argparse import Namespace
from pathlib import Path

from kronosforge.core.i18n import tr
from kronosforge.workspace.scaffold import lay


def run(arguments: Namespace) -> int:
    """Create the workspace; print each file that was written and each that existed."""
    folder = Path(arguments.folder)
    written, kept = lay(folder)
    print(tr(f"Workspace {folder.resolve()}:", f"工作区 {folder.resolve()}:"))
    for path in written:
        print("  +", path)
    for path in kept:
        print("  =", path, tr("(exists, left as it is)", "(已存在,未改动)"))
    print(tr("Next:", "下一步:"), f'cd "{folder}" && python prepare_kronos_data_simple.py --list-configs')
    return 0
