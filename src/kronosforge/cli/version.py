"""`kronosforge --version`."""

import importlib.metadata
import importlib.util
import platform
from argparse import Namespace

from kronosforge.core.i18n import _


def run(arguments: Namespace) -> int:
    """Print the versions of kronosforge, Python and torch, and the device that `auto` means here."""
    print("kronosforge", importlib.metadata.version("kronosforge"))
    print("Python", platform.python_version())
    if importlib.util.find_spec("torch") is None:
        print(_("torch is not installed: pip install 'kronosforge[train]'"))
        return 0
    from kronosforge.workflows.devices import default_device  # noqa: PLC0415 - loads torch

    print("torch", f"{importlib.metadata.version('torch')}, {_('device')} {default_device()}")
    return 0
