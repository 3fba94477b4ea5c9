"""What every command needs first: the workspace, the environment, and the settings of the models it names."""

from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

from kronosforge.workspace.discovery import find_root
from kronosforge.workspace.loading import environment, load_config
from kronosforge.workspace.overrides import KNOBS, Resolved, resolve


class Context(NamedTuple):
    """A command line and the workspace that it is about."""

    arguments: Namespace
    root: Path
    environ: dict[str, str]  # the process's environment over the workspace's .env

    def model(self, name: str) -> Resolved:
        """The settings of one model: command line over environment over config file. Raises ConfigError, UsageError."""
        flags = {knob.flag: getattr(self.arguments, knob.flag.strip("-").replace("-", "_"), None) for knob in KNOBS}
        return resolve(load_config(name, str(self.root)), flags, self.environ)


def open_context(arguments: Namespace) -> Context:
    """The context of a parsed command line. Raises UsageError outside a workspace."""
    root = find_root(script=arguments.script)
    return Context(arguments, Path(root), environment(root))


def model_flags(arguments: Namespace) -> list[str]:
    """The flags of a parsed command line that set a training's settings, as words of another command line."""
    flags: list[str] = []
    for knob in KNOBS:
        value = getattr(arguments, knob.flag.strip("-").replace("-", "_"), None)
        if knob.key.startswith("train.") and value is not None:
            flags += [knob.flag] if value is True else [knob.flag, str(value)]
    return flags
