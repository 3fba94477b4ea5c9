"""Check everything that a run depends on, so that trouble is found before it costs an hour."""

import importlib.metadata
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from kronosforge.config import SourceConfig
from kronosforge.core.coroutines import run
from kronosforge.core.errors import KronosForgeError, UsageError
from kronosforge.core.i18n import _
from kronosforge.dataset.leak_probe import probe_checkout
from kronosforge.source import credentials, probe_credentials
from kronosforge.workflows.fetch import opened
from kronosforge.workspace.discovery import find_root
from kronosforge.workspace.loading import ConfigManager, environment
from kronosforge.workspace.overrides import resolve_source
from kronosforge.workspace.paths import kronos_checkout

LIBRARIES = ("polars", "pyarrow", "numpy", "pydantic", "ccxt", "exchange_calendars")
ROOM = 2 * 10**9  # bytes; a dataset of a million candles and its store take about a tenth of it
SKEW = 2_000  # ms; signed calls are refused at 30 s, but a clock two seconds off is a broken one


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    state: str  # ok, warn or fail
    detail: str
    exit_code: int = 0  # of the command, where this is the first that fails


def checks(script: str = "", source: str | None = None) -> Iterator[Check]:
    """Look at Python, the packages, the workspace around the current folder or `script`, the disk, the exchange and keys.

    `source` is another source than the environment's, or OKX. Each check is yielded as soon as it is made; none raises.
    """
    yield _python()
    yield _versions()
    try:
        root = Path(find_root(script=script))
    except UsageError as error:
        yield Check(_("workspace"), "fail", str(error), 2)
        return
    environ = environment(str(root))
    yield _guarded(_("workspace"), lambda: _workspace(root))
    yield _disk(root)
    yield _guarded(_("exchange"), lambda: _exchange(_source(source, environ), environ, root))
    yield _guarded(_("credentials"), lambda: _credentials(_source(source, environ), environ))
    if checkout := kronos_checkout(root, environ):
        yield _guarded(_("upstream checkout"), lambda: _upstream(checkout))


def _guarded(name: str, look: Callable[[], tuple[str, str]]) -> Check:
    try:
        return Check(name, *look())
    except KronosForgeError as error:
        return Check(name, "fail", str(error), error.exit_code)


def _python() -> Check:
    return Check("python", "ok", platform.python_version())  # pip refuses to install on an older one


def _versions() -> Check:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("kronosforge", *LIBRARIES))
    return Check(_("packages"), "ok", versions)


def _workspace(root: Path) -> tuple[str, str]:
    manager = ConfigManager(str(root))
    names = manager.list_available_configs()
    for name in names:
        manager.load_config(name)
    return "ok", f"{root}: {', '.join(names)}"


def _disk(root: Path) -> Check:
    free = shutil.disk_usage(root).free
    state = "ok" if free >= ROOM else "warn"
    return Check(_("disk"), state, _("{free:.1f} GB free", free=free / 1e9))


def _source(name: str | None, environ: Mapping[str, str]) -> SourceConfig:
    # One try: nobody who asks for a check wants to wait for eight.
    return resolve_source(name, environ).model_copy(update={"retries": 1, "timeout_s": 10.0})


def _exchange(source: SourceConfig, environ: Mapping[str, str], root: Path) -> tuple[str, str]:
    async def ask() -> tuple[str, int, int]:
        async with opened(source, environ, root) as exchange:
            before = time.time_ns() // 1_000_000
            now = await exchange.now()
            after = time.time_ns() // 1_000_000
            return exchange.venue, now - (before + after) // 2, after - before

    venue, skew, took = run(ask())
    if source.name == "sandbox" or source.name.startswith("files:"):
        return "ok", _("{venue} answers", venue=venue)
    text = _("{venue} answers in {took} ms, its clock is {skew:+d} ms from ours", venue=venue, took=took, skew=skew)
    return ("ok" if abs(skew) <= SKEW else "warn"), text


def _credentials(source: SourceConfig, environ: Mapping[str, str]) -> tuple[str, str]:
    if credentials(environ) is None:
        return "ok", _("none set; candles need none")
    run(probe_credentials(source, environ))
    return "ok", _("complete, and accepted by the exchange")


def _upstream(home: Path) -> tuple[str, str]:
    """Whether the checkout's dataset lets the future into the lookback."""
    verdict = probe_checkout(home)
    return verdict.state, f"{home}: {verdict.detail}"
