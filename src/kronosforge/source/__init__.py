"""Sources of candles: one protocol (`base`), one file per venue."""

from collections.abc import Mapping
from pathlib import Path

from kronosforge.config import SourceConfig
from kronosforge.core.errors import ConfigError
from kronosforge.core.i18n import _
from kronosforge.source.base import Source
from kronosforge.source.exchanges.binance import BinanceSource
from kronosforge.source.exchanges.bybit import BybitSource
from kronosforge.source.exchanges.credentials import Credentials, credentials, probe_credentials
from kronosforge.source.exchanges.okx import OkxSource
from kronosforge.source.files.folder import FilesSource

__all__ = ["Credentials", "Source", "credentials", "open_source", "probe_credentials"]

NAMES = "okx, sandbox, binance, bybit, files:DIR"


def open_source(config: SourceConfig, environ: Mapping[str, str], *, venue: str | None = None) -> Source:
    """The source that `config.name` names. Opens no connection.

    `venue` overrides the store folder derived from the address: a sandbox has another port each time.
    Raises ConfigError for an unknown name or address, CredentialsError where the OKX_API_… variables are incomplete, or
    absent and required.
    """
    name, _colon, folder = config.name.partition(":")
    if name == "files" and folder:
        return FilesSource(Path(folder), config)
    if config.name == "okx":
        credentials(environ, required=config.credentials_required)
        return OkxSource(config, venue)
    if config.name == "binance":
        return BinanceSource(config, venue)
    if config.name == "bybit":
        return BybitSource(config, venue)
    raise ConfigError(_("source.name: found {name!r}; allowed: {names}", name=config.name, names=NAMES))
