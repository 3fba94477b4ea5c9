"""Parses a command line, runs its command, and turns errors into one line and an exit code.

The only place that catches errors. Each command's module is imported when it is called.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from kronosforge.cli.parser import build_parser, script_parser
from kronosforge.core.console import printable, settle_streams
from kronosforge.core.errors import KronosForgeError
from kronosforge.core.i18n import tr


def run(argv: list[str] | None = None, *, script: str = "", command: str = "") -> int:
    """Run one command line and return its exit code. A `script` stands for one `command`."""
    settle_streams()
    try:
        _configure_logging()
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


def _configure_logging() -> None:
    """Send our log to stderr where LOG_LEVEL asks for it; otherwise warnings alone go there, as Python does by itself."""
    level = os.environ.get("LOG_LEVEL", "").strip().upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        return  # other programs give this variable other values
    logging = importlib.import_module("logging")  # costs more than the answer to --help
    log = logging.getLogger("kronosforge")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(level)


def _report(message: str, exit_code: int) -> int:
    if os.environ.get("LOG_LEVEL", "").strip().upper() == "DEBUG" and exit_code != 130:
        sys.excepthook(*sys.exc_info())
    print(f"Error: {printable(message)}", file=sys.stderr)
    return exit_code
