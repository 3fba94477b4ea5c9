"""The outer boundary of a process: errors become one line on stderr and an exit code. Nothing else catches everything."""

from __future__ import annotations

import importlib
import os
import sys

from kronosforge.core.console import printable
from kronosforge.core.errors import STOPPED, KronosForgeError
from kronosforge.core.i18n import _

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ERROR = "Error: "  # begins the line on stderr that says why a process fails


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
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001 - the outer boundary
        if isinstance(error, BrokenPipeError) and _stdout_is_closed():
            # The reader of our pipe has gone (head, less): nothing to say to it, and nothing to flush at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return _report(*explained(error))


def _stdout_is_closed() -> bool:
    """Whether nobody reads our standard output any more; another pipe may have broken."""
    select = importlib.import_module("select")
    if not hasattr(select, "poll"):  # Windows: no other pipe of ours ends here
        return True
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return bool(poll.poll(0))  # POLLERR or POLLHUP


def explained(error: BaseException) -> tuple[str, int]:
    """What happened, and the exit code that says so."""
    if isinstance(error, BaseExceptionGroup):  # of tasks that ran at once
        return explained(error.exceptions[0])
    if isinstance(error, KronosForgeError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return _("interrupted; what was finished is kept"), STOPPED
    if isinstance(error, UnicodeEncodeError):  # of a name on the command line
        return _("A name on the command line holds bytes that are not text; choose another name"), 2
    if isinstance(error, OSError):
        return _refused(error), 4
    text = _("internal error, please report it") + f": {type(error).__name__}: {error}"
    return text + _("; LOG_LEVEL=DEBUG shows where"), 1


def _refused(error: OSError) -> str:
    """What the machine refused, and of which file."""
    reason = error.strerror or str(error)
    if error.filename is None:
        return _("The system refused: {reason}", reason=reason)
    return _("{file} cannot be used: {reason}", file=os.fsdecode(error.filename), reason=reason)


def _report(message: str, exit_code: int) -> int:
    if os.environ.get("LOG_LEVEL", "").strip().upper() == "DEBUG" and exit_code != STOPPED:
        sys.excepthook(*sys.exc_info())
    print_error(message)
    return exit_code


def print_error(message: str) -> None:
    """One line on stderr; control characters from outside are escaped."""
    print(f"{ERROR}{printable(message)}", file=sys.stderr, flush=True)
