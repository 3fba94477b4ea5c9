"""The outer boundary of a process: errors become one line on stderr and an exit code. Nothing else catches everything."""

from __future__ import annotations

import importlib
import os
import sys

from kronosforge.core.console import printable
from kronosforge.core.errors import KronosForgeError
from kronosforge.core.i18n import _

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def configure_logging() -> None:
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


def guarded(call: Callable[[], int]) -> int:
    """The exit code of `call`; of its error, where it raised one that was reported."""
    try:
        return call()
    except KronosForgeError as error:
        return _report(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _report(_("interrupted; what was finished is kept"), 130)
    except BrokenPipeError:
        # The reader of our pipe has gone (head, less): nothing to say to it, and nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the outer boundary
        text = _("internal error, please report it") + f": {type(error).__name__}: {error}"
        return _report(text + _("; LOG_LEVEL=DEBUG shows where"), 1)


def _report(message: str, exit_code: int) -> int:
    if os.environ.get("LOG_LEVEL", "").strip().upper() == "DEBUG" and exit_code != 130:
        sys.excepthook(*sys.exc_info())
    print_error(message)
    return exit_code


def print_error(message: str) -> None:
    """One line on stderr; control characters from outside are escaped."""
    print(f"Error: {printable(message)}", file=sys.stderr, flush=True)
