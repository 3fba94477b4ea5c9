"""What every command needs first: the workspace, the environment, and the settings of the models it names."""

from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

from kronosforge.workspace.discovery import find_root
from kronosforge.workspace.loading import environment, load_config
from kronosforge.workspace.overrides import Resolved, resolve
from kronosforge.workspace.settings import SET, SETTINGS, given_flags, spelled


class Context(NamedTuple):
    """A command line and the workspace that it is about."""

    arguments: Namespace
    root: Path
    environ: dict[str, str]  # the process's environment over the workspace's .env

    def model(self, name: str) -> Resolved:
        """The settings of one model: command line over environment over config file. Raises ConfigError, UsageError."""
        return resolve(load_config(name, str(self.root)), given_flags(vars(self.arguments)), self.environ)


def open_context(arguments: Namespace) -> Context:
    """The context of a parsed command line. Raises UsageError outside a workspace."""
    root = find_root(script=arguments.script)
    return Context(arguments, Path(root), environment(root))


def model_flags(arguments: Namespace) -> list[str]:
    """The flags of a parsed command line that `train` takes, too, as words of another command line."""
    taken = {SET, *(setting.flag for setting in SETTINGS if setting.key.startswith("train."))}
    return spelled({flag: value for flag, value in given_flags(vars(arguments)).items() if flag in taken})
