"""A real headless Chromium, driven over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/)."""

import asyncio
import base64
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
]  # fmt: skip
PHONE = 600  # narrower screens are touched
PATIENCE = 60.0  # seconds; a busy CI machine starts a browser slowly


class Visit(NamedTuple):
    """What a page did while it was looked at."""

    values: dict[str, Any]  # what each script given to `visit` evaluated to
    errors: list[str]  # exceptions, console errors and what the browser logged as an error
    requests: list[str]  # URLs asked for, the page's own left out
    screenshot: bytes  # PNG of the whole page, where `photograph` asked for it


class Chromium(NamedTuple):
    """A running browser."""

    address: str  # 127.0.0.1:port

    def visit(
        self,
        path: Path,
        scripts: Mapping[str, str],
        *,
        width: int,
        dark: bool = False,
        language: str = "en-US",
        photograph: bool = False,
    ) -> Visit:
        """Open a file on a screen `width` CSS pixels wide, then evaluate `scripts` one after another.

        A script may be a promise. An exception in one is raised here.
        """
        screen = _Screen(width, dark, language, photograph)
        return asyncio.run(asyncio.wait_for(_visit(self.address, path, scripts, screen), timeout=PATIENCE))


class _Screen(NamedTuple):
    width: int
    dark: bool
    language: str
    photograph: bool


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    """Start a browser with a fresh profile in `profile`. Skips the test where none is installed; in CI that fails."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI renders pages in chromium, and it is not installed")
        pytest.skip("chromium is not installed")
    with subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            yield Chromium(f"127.0.0.1:{_port(profile, process)}")
        finally:
            process.terminate()


def _port(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Chromium chooses a free port and writes it into its profile."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, f"chromium ended with {process.returncode}"
        note = profile / "DevToolsActivePort"
        if note.exists() and (lines := note.read_text().split()):
            return lines[0]
        time.sleep(0.05)
    raise TimeoutError("chromium did not open its DevTools port")


async def _visit(address: str, path: Path, scripts: Mapping[str, str], screen: _Screen) -> Visit:
    async with aiohttp.ClientSession() as http:
        async with http.put(f"http://{address}/json/new?about:blank") as answer:
            target = await answer.json(content_type=None)
        async with http.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            tab = _Tab(socket)
            await tab.open(path, screen)
            values = {name: await tab.evaluate(script) for name, script in scripts.items()}
            screenshot = await tab.photograph(screen.width) if screen.photograph else b""
        await http.get(f"http://{address}/json/close/{target['id']}")
    own = path.as_uri()
    return Visit(
        values, tab.errors, [url for url in tab.requests if url != own and not url.startswith("data:")], screenshot
    )


class _Tab:
    """One tab: sends commands, and keeps what events tell."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.sent = 0
        self.loaded = False
        self.errors: list[str] = []
        self.requests: list[str] = []

    async def call(self, method: str, **parameters: Any) -> Any:
        self.sent += 1
        await self.socket.send_json({"id": self.sent, "method": method, "params": parameters})
        while True:
            message = await self.socket.receive_json()
            if message.get("id") == self.sent:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        method, event = message["method"], message["params"]
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(event["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            self.errors.append(str(event["args"]))
        elif method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            self.errors.append(event["entry"]["text"])

    async def open(self, path: Path, screen: _Screen) -> None:
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self._size(screen.width, 900)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if screen.dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Emulation.setTouchEmulationEnabled", enabled=screen.width < PHONE)
        agent = (await self.call("Browser.getVersion"))["userAgent"]
        await self.call("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=screen.language)
        await self.call("Page.navigate", url=path.as_uri())
        while not self.loaded:
            self._note(await self.socket.receive_json())

    async def _size(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < PHONE,
        )  # fmt: skip

    async def evaluate(self, script: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def photograph(self, width: int) -> bytes:
        height = await self.evaluate("document.documentElement.scrollHeight")
        await self._size(width, height)
        answer = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])
