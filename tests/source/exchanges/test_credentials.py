"""Credentials: optional, checked on request, and nowhere to be read."""

import asyncio
import logging
import traceback
from collections.abc import Mapping

import pytest
from aiohttp import web

from kronosforge.config import SourceConfig
from kronosforge.core.errors import CredentialsError
from kronosforge.sandbox import Clock, Sandbox, Server, Synthetic, serve
from kronosforge.source import credentials, open_source, probe_credentials
from kronosforge.source.exchanges.credentials import VARIABLES

RIGHT = ("sandbox-key", "sandbox-secret", "sandbox-passphrase")


def environ(key: str = RIGHT[0], secret: str = RIGHT[1], passphrase: str = RIGHT[2]) -> dict[str, str]:
    return dict(zip(VARIABLES, (key, secret, passphrase), strict=True))


def probe(given: Mapping[str, str], clock: int | None = None) -> tuple[str, Server]:
    async def live() -> tuple[str, Server]:
        async with serve(Sandbox(Synthetic(), Clock(clock))) as server:
            return await probe_credentials(SourceConfig(url=server.url, retries=1), given), server

    return asyncio.run(live())


@pytest.mark.parametrize("missing", [["OKX_API_KEY"], ["OKX_API_SECRET", "OKX_API_PASSPHRASE"]])
def test_an_incomplete_set_names_what_is_missing(missing: list[str]) -> None:
    given = {name: value for name, value in environ().items() if name not in missing}
    with pytest.raises(CredentialsError, match=f"^API credentials missing: {', '.join(missing)};"):
        open_source(SourceConfig(), given)


def test_a_blank_value_is_missing() -> None:
    with pytest.raises(CredentialsError, match="missing: OKX_API_SECRET;"):
        credentials(environ(secret=" "))


def test_none_is_fine_unless_they_are_required() -> None:
    assert credentials({}) is None
    open_source(SourceConfig(), {})
    with pytest.raises(CredentialsError, match="OKX_API_KEY, OKX_API_SECRET, OKX_API_PASSPHRASE"):
        open_source(SourceConfig(credentials_required=True), {})


def test_a_right_set_says_what_it_may_do() -> None:
    assert probe(environ())[0] == "read_only"


def test_a_signature_carries_the_venue_s_clock() -> None:
    assert probe(environ(), clock=1_500_000_000_000)[0] == "read_only"


@pytest.mark.parametrize(
    ("given", "code", "explanation"),
    [
        (environ(key="sandbox-key-demo"), "50101", "other environment"),
        (environ(passphrase="wrong-pass"), "50105", "OKX_API_PASSPHRASE is wrong"),
        (environ(key="sandbox-key-bound"), "50110", "IP list"),
        (environ(key="no-such-key"), "50111", "not a valid key"),
        (environ(secret="wrong-secret"), "50113", "OKX_API_SECRET does not belong"),
        (environ(key="sandbox-key-elsewhere"), "50119", "https://eea.okx.com"),
    ],
)
def test_a_refused_set_is_explained(given: dict[str, str], code: str, explanation: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        probe(given)
    assert f"{code}: " in str(caught.value)
    assert explanation in str(caught.value)


@pytest.mark.parametrize("part", range(3))
def test_no_secret_is_printed_logged_or_raised(
    part: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    secrets = [f"very-private-{name}" if i == part else RIGHT[i] for i, name in enumerate(VARIABLES)]
    with caplog.at_level(logging.DEBUG), pytest.raises(CredentialsError) as caught:
        probe(environ(*secrets))
    output = "".join(traceback.format_exception(caught.value)) + caplog.text + "".join(capfd.readouterr())
    error: BaseException | None = caught.value
    while error:  # hidden causes too: a debugger or a crash reporter would print them
        output += repr(error)
        error = error.__context__
    assert not [secret for secret in secrets if secret in output]


def test_a_set_shows_nothing_of_itself() -> None:
    assert repr(credentials(environ())) == "Credentials()"


def test_candles_are_asked_for_without_keys() -> None:
    seen: list[str] = []

    async def clock(request: web.Request) -> web.Response:
        seen.extend(request.headers)
        return web.json_response({"code": "0", "msg": "", "data": [{"ts": "1700000000000"}]})

    async def live() -> None:
        app = web.Application()
        app.router.add_get("/api/v5/public/time", clock)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        source = open_source(SourceConfig(url=f"http://127.0.0.1:{runner.addresses[0][1]}"), environ())
        try:
            await source.now()
        finally:
            await source.close()
            await runner.cleanup()

    asyncio.run(live())
    assert "Host" in seen
    assert not [name for name in seen if name.upper().startswith("OK-ACCESS")]
