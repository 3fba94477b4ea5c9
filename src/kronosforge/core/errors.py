"""What can go wrong, for people: each message says what happened, what was found and what to do next.

KronosForgeError            exit code
├── UsageError              2   a flag or a request that cannot be carried out as asked
│   └── ExistsError         2   a dataset stands there, and was not allowed to be replaced
├── ConfigError             2   a model's config is wrong: file, key, found, allowed
├── SourceError             3   the exchange or the files could not be read
│   ├── CredentialsError    3   keys are missing, incomplete or refused
│   └── NoDataError         3   nothing came back for what was asked
├── DataError               4   the candles cannot become a dataset: quality, too few windows, a broken file
│   ├── BusyError           4   another process holds the store or the dataset
│   └── DiskError           4   no space, no permission
└── TrainingError           5   training or a model failed: a loss that exploded, no memory, a model of a fleet
    └── ModelError          5   weights that are missing or cannot be used
"""

from kronosforge.core.i18n import _

STOPPED = 130  # the exit code of what was stopped on request: 128 + SIGINT, as shells count


class KronosForgeError(Exception):
    """Base of every error that the command line turns into one line and an exit code."""

    exit_code = 1


class UsageError(KronosForgeError):
    """A flag, or a request that cannot be carried out as asked."""

    exit_code = 2


class ExistsError(UsageError):
    """A finished dataset stands where one was asked for; a person may still say yes."""


class ConfigError(KronosForgeError, ValueError):
    """A config file or one of its values is wrong; says the file, the key, what was found and what is allowed.

    A ValueError too, so that pydantic adds the key where a validator raises one; `detail` is the text without its head.
    """

    exit_code = 2

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(_("Configuration validation failed: ") + detail)


class SourceError(KronosForgeError):
    """The exchange, the network or a file of candles failed."""

    exit_code = 3


class CredentialsError(SourceError):
    """API keys are missing, incomplete or refused. Never carries a key."""


class NoDataError(SourceError):
    """The source answered, and has nothing of what was asked."""

    def __init__(self, detail: str) -> None:
        head = "No data fetched for Kronos training"
        super().__init__(_("{head}: ", head=head) + detail)


class DataError(KronosForgeError):
    """Candles or a dataset are not fit for what was asked."""

    exit_code = 4


class BusyError(DataError):
    """Another process is writing there."""


class DiskError(DataError):
    """The disk is full, or may not be written."""


class TrainingError(KronosForgeError):
    """Training cannot go on: the loss exploded, memory ran out, or models of a fleet failed."""

    exit_code = 5


class ModelError(TrainingError):
    """A checkpoint is missing, broken, of another class, or the hub that holds it cannot be reached."""
