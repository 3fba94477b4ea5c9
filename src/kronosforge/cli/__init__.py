"""The command line: one module per command, each `run(arguments) -> exit code`, imported when it is called."""

from kronosforge.cli.main import run as run
