"""OKX API credentials: optional for candles; a user can check them with one signed request."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kronosforge.config import SourceConfig
from kronosforge.core.errors import CredentialsError
from kronosforge.core.i18n import _
from kronosforge.source.exchanges.exchange import place
from kronosforge.source.exchanges.okx import HOME, connect
from kronosforge.source.exchanges.rate import RateLimit
from kronosforge.source.exchanges.transport import Endpoint, RefusedError, Transport

VARIABLES = ("OKX_API_KEY", "OKX_API_SECRET", "OKX_API_PASSPHRASE")


@dataclass(frozen=True)
class Credentials:
    """A full set, hidden from repr."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)


def credentials(environ: Mapping[str, str], *, required: bool = False) -> Credentials | None:
    """The set in OKX_API_KEY, OKX_API_SECRET and OKX_API_PASSPHRASE; None where none of them is set.

    Raises CredentialsError where some are set and some not, or where none is and they are `required`.
    """
    missing = [name for name in VARIABLES if not environ.get(name, "").strip()]
    if missing and (required or len(missing) < len(VARIABLES)):
        names = ", ".join(missing)
        raise CredentialsError(
            _(
                "API credentials missing: {names}; set them in the environment or in .env, or unset the others: candle downloads need no credentials",
                names=names,
            )
        )
    return None if missing else Credentials(*(environ[name].strip() for name in VARIABLES))


async def probe_credentials(config: SourceConfig, environ: Mapping[str, str]) -> str:
    """Ask OKX for the account's configuration with a signed call, and return what the keys may do, such as `read_only`.

    The signature carries the venue's clock, so that a wrong clock here does not look like a wrong key. Raises
    CredentialsError that explains what is missing or wrong, SourceError where OKX cannot be reached.
    """
    account = credentials(environ, required=True)
    assert account, "required, and not missing"
    venue, address = place("okx", HOME, config.url)
    keys = {"apiKey": account.key, "secret": account.secret, "password": account.passphrase}
    transport = connect(venue, address, config, keys)
    try:
        await _use_venue_clock(transport)
        return await transport.get(
            Endpoint("privateGetAccountConfig", RateLimit(5, 2.0)),
            {},
            _("the account's configuration"),
            lambda answer: str(answer["data"][0]["perm"]),
        )
    except RefusedError as refused:
        raise CredentialsError(_explained(venue, refused)) from None
    finally:
        await transport.close()


async def _use_venue_clock(transport: Transport) -> None:
    what = _("the server time")
    venue_time = await transport.get(
        Endpoint("publicGetPublicTime", RateLimit(10, 2.0)), {}, what, lambda answer: int(answer["data"][0]["ts"])
    )
    transport.sign_at(venue_time)


def _explained(venue: str, refused: RefusedError) -> str:
    explained = _explanations().get(refused.code)
    return f"{venue}: {refused.code}: {explained}" if explained else str(refused)


def _explanations() -> dict[str, str]:
    """What OKX's codes mean for the user who sees them. Source: OKX's v5 documentation; python-okx issue 118 for 50119."""
    return {
        "50101": _("the key belongs to the other environment; use a live key for live and a demo key for demo trading"),
        "50102": _(
            "the request's time differs too much from OKX's clock; correct this machine's clock or check for a slow proxy"
        ),
        "50105": _(
            "OKX_API_PASSPHRASE is wrong; use the passphrase chosen when the key was created, not the account password"
        ),
        "50110": _(
            "this machine's address is not on the key's IP list; add it on OKX's API page or create a key without an IP list"
        ),
        "50111": _("OKX_API_KEY is not a valid key; copy it again, without spaces or quotes"),
        "50113": _("the signature is wrong, so OKX_API_SECRET does not belong to this key; copy it again"),
        "50119": _(
            "the key does not exist here: it was deleted, or it belongs to another region; EEA accounts use KRONOS_OKX_URL=https://eea.okx.com, US and Australian accounts https://us.okx.com"
        ),
    }
