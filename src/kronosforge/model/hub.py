"""Checkpoints of the Hugging Face hub, and what huggingface_hub prints while it downloads them."""

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kronosforge.core.console import printable
from kronosforge.core.i18n import _


def download(hub_id: str, config: str, weights: str, revision: str | None, endpoint: str) -> Path:
    """The folder of the hub's cache that holds the files `config` and `weights` of `hub_id`, downloaded if necessary.

    One line on stderr announces the download of the weights, which may take minutes. Raises OSError or ValueError, of
    which the hub's own errors are subclasses.
    """
    hub = importlib.import_module("huggingface_hub")  # fails on some values of HF_ENDPOINT, so not before it is checked
    with _one_line_each():
        path = Path(hub.hf_hub_download(hub_id, config, revision=revision, endpoint=endpoint))
        if not (path.parent / weights).exists():
            _print(_("Downloading {source} from {endpoint}", source=hub_id, endpoint=endpoint))
        hub.hf_hub_download(hub_id, weights, revision=revision, endpoint=endpoint)
    return path.parent


@contextmanager
def _one_line_each() -> Iterator[None]:
    """Inside, each warning of huggingface_hub is one line on stderr, and its progress bars are hidden."""
    log = logging.getLogger("huggingface_hub")
    handlers, log.handlers = log.handlers, [_Lines()]
    utils, variable = importlib.import_module("huggingface_hub.utils"), "HF_HUB_DISABLE_PROGRESS_BARS"
    hide = variable not in os.environ and not utils.are_progress_bars_disabled()
    if hide:
        utils.disable_progress_bars()
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_context: _print(str(message))
        try:
            yield
        finally:
            log.handlers = handlers
            if hide:
                utils.enable_progress_bars()


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _print(record.getMessage())


def _print(text: str) -> None:
    print(f"Hugging Face: {printable(' '.join(text.split()))}", file=sys.stderr, flush=True)
