"""Parses a command line, runs its command, and turns errors into one line and an exit code.

The only place that catches errors. Each command's module is imported when it is called.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from kronosforge.cli.parser import build_parser, script_parser
from kronosforge.core.errors import KronosForgeError
from kronosforge.core.i18n import tr


def run(argv: list[str] | None = None, *, script: str = "", command: str = "") -> int:
    """Run one command line and return its exit code. A `script` stands for one `command`."""
    try:
        return _dispatch(sys.argv[1:] if argv is None else argv, script, command)
    except KronosForgeError as error:
        return _report(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _report(tr("interrupted; what was finished is kept", "已中断;已完成的部分都保留着"), 130)
    except BrokenPipeError:
        # The reader of our pipe has gone (head, less): nothing to say to it, and nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the outer boundary
        text = tr("internal error, please report it", "内部错误,请反馈") + f": {type(error).__name__}: {error}"
        return _report(text + tr("; LOG_LEVEL=DEBUG shows where", ";用 LOG_LEVEL=DEBUG 查看位置"), 1)


def _dispatch(argv: list[str], script: str, command: str) -> int:
    if command:
        parser = script_parser(script.rpartition(os.sep)[2], command)
        arguments = parser.parse_args(argv, argparse.Namespace(command=command))
    else:
        arguments = build_parser().parse_args(argv)
    arguments.script = script
    name = "configs" if getattr(arguments, "list_configs", False) else arguments.command
    return int(importlib.import_module(f"kronosforge.cli.{name}").run(arguments))


def _report(message: str, exit_code: int) -> int:
    if os.environ.get("LOG_LEVEL", "").upper() == "DEBUG" and exit_code != 130:
        sys.excepthook(*sys.exc_info())
    print(f"Error: {message}", file=sys.stderr)
    return exit_code
