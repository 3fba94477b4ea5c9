"""The parsers of all commands. Imports nothing heavy: `--help` is answered from here alone."""

from __future__ import annotations

import argparse
import os
from itertools import takewhile

from kronosforge.cli.commands import COMMANDS, SCRIPTS
from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _
from kronosforge.core.suggestions import closest, did_you_mean
from kronosforge.workspace.settings import SET, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn


class _Help(argparse.RawDescriptionHelpFormatter):
    """Knows its width: left to itself, argparse imports shutil (and with it every compressor) to ask for it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=_columns())


class Parser(argparse.ArgumentParser):
    """An argparse parser whose error is one line, like every other error here, with the nearest spelling.

    `declare` adds its arguments when it is used: of all commands, only the one that was named declares any.
    """

    def __init__(self, declare: Callable[[Parser], None] | None = None, **options: Any) -> None:
        super().__init__(formatter_class=_Help, **options)
        self._declare = declare

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse after declaring the arguments. Raises UsageError for a word that the command does not take."""
        if self._declare:
            declare, self._declare = self._declare, None
            declare(self)
        if not self._subparsers:
            before_dashes = takewhile(lambda word: word != "--", args)
            self._refuse([option for option in before_dashes if option.startswith("--") and not self._takes(option)])
        arguments, unknown = super().parse_known_args(args, namespace)
        self._refuse(unknown)
        return arguments, unknown

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; " + _("see {prog} --help", prog=self.prog))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Raise ArgumentError where the value is not one of the action's choices."""
        choices = [str(choice) for choice in action.choices or ()]
        if choices and str(value) not in choices:
            text = _("invalid choice {value!r} (choose from {choices})", value=value, choices=", ".join(choices))
            raise argparse.ArgumentError(action, text + did_you_mean(closest(str(value), choices)))

    def _takes(self, word: str) -> bool:
        """Whether a word is a flag of this command, or the beginning of one."""
        flag = word.partition("=")[0]
        return any(option.startswith(flag) for option in self._option_string_actions)

    def _refuse(self, unknown: list[str]) -> None:
        """Raise UsageError where there are words that this command does not take."""
        if unknown:
            text = _("unrecognized arguments: ") + " ".join(unknown)
            self.error(text + self._advice(unknown[0].partition("=")[0]))

    def _advice(self, word: str) -> str:
        """What an unknown word may mean: a flag, a setting, or the second half of a time."""
        if word[:1].isdigit() and ":" in word:
            return _("; put quotes around a time with a space")
        similar = closest(word, self._option_string_actions) if word.startswith("-") else []
        if not similar and SET in self._option_string_actions:
            name = word.removeprefix("--").replace("-", "_")
            similar = [f"{SET} {key}=…" for key in fields() if key.rpartition(".")[2] == name]
        return did_you_mean(similar)


def build_parser(program: str = "kronosforge") -> Parser:
    """The parser of every command."""
    parser = Parser(
        prog=program,
        description=_("From exchange candles to fine-tuned, honestly judged Kronos models."),
        epilog=_exit_codes(),
    )
    parser.add_argument(
        "--version",
        action="store_true",
        help=_("versions of kronosforge, Python and torch, and the device"),
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.help, description=command.help, declare=command.declare)
    return parser


def script_parser(program: str, command: str) -> Parser:
    """The parser of one command alone, under the name of the script that the guide's users type."""
    meant = (COMMANDS | SCRIPTS)[command]
    return Parser(prog=program, description=meant.help, epilog=_exit_codes(), declare=meant.declare)


def _columns() -> int:
    try:
        return int(os.environ.get("COLUMNS", "0")) or min(os.get_terminal_size().columns, 120)
    except (OSError, ValueError):
        return 100


def _exit_codes() -> str:
    return _(
        "exit codes: 0 done, 1 unexpected error, 2 usage or config, 3 source, 4 data, 5 training or model, 130 interrupted"
    )
