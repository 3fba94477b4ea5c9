"""The workspace: finds and loads `config_*.py` files, and reads the environment that goes with them."""

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from kronosforge.config import ModelConfig
from kronosforge.core.addresses import without_password
from kronosforge.core.errors import ConfigError
from kronosforge.core.i18n import _
from kronosforge.workspace.discovery import config_files, config_name, config_path, find_root
from kronosforge.workspace.validation import config_error, validate

log = logging.getLogger("kronosforge.workspace")

# Upstream's flat attribute → our key. Source: shiyu-coder/Kronos, finetune/config.py (67b630e).
UPSTREAM = {
    "model_name": "model_name",
    "description": "description",
    "timeframe": "timeframe",
    "target_symbols": "target_symbols",
    "records_per_timeframe": "records_per_timeframe",
    "dataset_path": "dataset_path",
    "lookback_window": "dataset.lookback",
    "predict_window": "dataset.predict",
    "clip": "dataset.clip",
}


def load_config(name_or_path: str, root: str | None = None) -> ModelConfig:
    """The ModelConfig of one file: `config = ModelConfig(...)`, or an upstream-style `class Config`.

    Raises ConfigError naming file, key, what was found and what is allowed.
    """
    if root is None and not (name_or_path.endswith(".py") and Path(name_or_path).is_file()):
        root = find_root()
    path = config_path(name_or_path, root)
    log.debug("config file %s", path)
    with _users_code(path):
        values = _values(_run(path), path)
    return validate({**values, "name": config_name(path)}, path)


def _values(module: ModuleType, path: str) -> dict[str, Any]:
    """The settings that a config file gives, without those that it leaves at their defaults."""
    config = getattr(module, "config", None)
    if isinstance(config, ModelConfig):
        return config.model_dump(exclude_unset=True)
    if isinstance(getattr(module, "Config", None), type):
        return _from_upstream(module.Config())
    raise ConfigError(_("{path}: no `config = ModelConfig(...)` in it", path=path))


def _run(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"kronosforge_config_{config_name(path)}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module


@contextmanager
def _users_code(path: str) -> Iterator[None]:
    """Turn whatever a config file raises into a ConfigError that names the file."""
    try:
        yield
    except ConfigError:
        raise
    except ValidationError as error:
        raise config_error(error, path) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's own code may raise anything
        line = getattr(error, "lineno", None)
        place = f"{path}, line {line}" if line else path
        raise ConfigError(f"{place}: {type(error).__name__}: {error}") from None


def _from_upstream(flat: object) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for upstream_name, dotted_key in UPSTREAM.items():
        if hasattr(flat, upstream_name):
            section, _, key = dotted_key.rpartition(".")
            (values.setdefault(section, {}) if section else values)[key] = getattr(flat, upstream_name)
    return values


def environment(root: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The process's environment over the workspace's `.env`, which is read and never written.

    Raises ConfigError where `.env` cannot be read as UTF-8.
    """
    path = Path(root) / ".env"
    try:
        stored = {key: value or "" for key, value in dotenv_values(path).items()}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(_("cannot read {path}: {error}", path=path, error=error)) from None
    log.debug("%s: %s", path, ", ".join(stored) or "empty" if path.is_file() else "absent")
    merged = {**stored, **environ}
    for name in sorted(merged):
        if name.startswith(("KRONOS_", "OKX_API_")):
            place = "environment" if name in environ else ".env"
            log.debug("%s from the %s: %s", name, place, _loggable(name, merged[name]))
    return merged


def _loggable(name: str, value: str) -> str:
    """`value` without what may be a secret: a key, or the password in an address."""
    return without_password(value) if name.startswith("KRONOS_") else "set" if value else "empty"


class ConfigManager:
    """The workspace's configs, by name: what `Kronos/finetune/config_manager.py` hands to users."""

    def __init__(self, root: str | None = None) -> None:
        self.root = root or find_root()

    def list_available_configs(self) -> list[str]:
        """The names that `load_config` takes, ascending."""
        return list(config_files(self.root))

    def load_config(self, name: str) -> ModelConfig:
        """The named model's config. Raises ConfigError."""
        return load_config(name, self.root)
