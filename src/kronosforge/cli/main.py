"""Parses a command line and runs its command, whose module is imported when it is called."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from kronosforge.cli.parser import build_parser, script_parser
from kronosforge.core.boundary import configure_logging, guarded
from kronosforge.core.console import settle_streams


def run(argv: list[str] | None = None, *, script: str = "", command: str = "") -> int:
    """Run one command line and return its exit code. A `script` stands for one `command`."""
    settle_streams()
    configure_logging()
    return guarded(lambda: _dispatch(sys.argv[1:] if argv is None else argv, script, command))


def _dispatch(argv: list[str], script: str, command: str) -> int:
    if command:
        parser = script_parser(script.rpartition(os.sep)[2], command)
        arguments = parser.parse_args(argv, argparse.Namespace(script=script, command=command))
    else:
        arguments = build_parser().parse_args(argv, argparse.Namespace(script=script))
    code = int(importlib.import_module(f"kronosforge.cli.{_module(arguments)}").run(arguments))
    sys.stdout.flush()  # a pipe without a reader is dealt with here, and not at exit
    return code


def _module(arguments: argparse.Namespace) -> str:
    """The module of kronosforge.cli that answers."""
    if getattr(arguments, "version", False):
        return "version"
    if getattr(arguments, "list_configs", False):
        return "configs"
    return arguments.command or "overview"
