"""Where candles come from: one protocol (`base`), one file a venue."""

import importlib
from collections.abc import Mapping
from pathlib import Path

from kronosforge.config import SourceConfig
from kronosforge.errors import ConfigError
from kronosforge.source.base import Source
from kronosforge.text import tr

# Module and class, by name: a venue's libraries are loaded where it is used, and `files` needs none of them.
VENUES = {"okx": "OkxSource", "binance": "BinanceSource", "bybit": "BybitSource"}
NAMES = "okx, sandbox, binance, bybit, files:DIR"


def open_source(config: SourceConfig, environ: Mapping[str, str], *, venue: str | None = None) -> Source:
    """The source that `config.name` names. Nothing is asked yet, no connection made.

    `venue` is the folder of the store where it is not to follow from the address: a sandbox has another port each time.
    Raises ConfigError for an unknown name, CredentialsError where the OKX_API_… variables are incomplete, or absent and
    required.
    """
    name, colon, folder = config.name.partition(":")
    if name == "files" and folder:
        files = importlib.import_module("kronosforge.source.files")
        source: Source = files.FilesSource(Path(folder), config)
        return source
    if name not in VENUES or colon:
        raise ConfigError(
            tr(
                f"source.name: found {config.name!r}; allowed: {NAMES}",
                f"source.name:值为 {config.name!r};可用:{NAMES}",
            )
        )
    if name == "okx":
        importlib.import_module("kronosforge.source.credentials").credentials(environ, config.credentials_required)
    module = importlib.import_module(f"kronosforge.source.{name}")
    opened: Source = getattr(module, VENUES[name])(config, venue)
    return opened
