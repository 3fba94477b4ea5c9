"""`kronosforge init DIR`: create a workspace."""

from argparse import Namespace
from pathlib import Path

from kronosforge.core.i18n import _
from kronosforge.workspace.scaffold import lay


def run(arguments: Namespace) -> int:
    """Create the workspace; print each file that was written and each that existed."""
    folder = Path(arguments.folder)
    written, kept = lay(folder)
    print(_("Workspace {resolve}:", resolve=folder.resolve()))
    for path in written:
        print("  +", path)
    for path in kept:
        print("  =", path, _("(exists, left as it is)"))
    print(_("Next:"), f'cd "{folder}" && python prepare_kronos_data_simple.py --list-configs')
    return 0
