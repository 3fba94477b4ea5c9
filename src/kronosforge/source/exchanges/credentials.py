"""OKX API credentials: optional for candles, and checked with one signed call where a user wants to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kronosforge.config import SourceConfig
from kronosforge.core.errors import CredentialsError
from kronosforge.core.i18n import tr
from kronosforge.source.exchanges.exchange import place
from kronosforge.source.exchanges.okx import HOME, connect
from kronosforge.source.exchanges.rate import RateLimit
from kronosforge.source.exchanges.transport import Endpoint, RefusedError, Transport

VARIABLES = ("OKX_API_KEY", "OKX_API_SECRET", "OKX_API_PASSPHRASE")


@dataclass(frozen=True)
class Credentials:
    """A full set. Its parts stand in no repr."""

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
            tr(
                f"API credentials missing: {names}; set them in the environment or in .env, or unset the others: candles need none",
                f"API credentials missing(缺少 API 凭证): {names};请在环境变量或 .env 中设置,或删除其余变量:K线数据不需要凭证",
            )
        )
    return None if missing else Credentials(*(environ[name].strip() for name in VARIABLES))


async def probe_credentials(config: SourceConfig, environ: Mapping[str, str]) -> str:
    """Ask OKX for the account's configuration with a signed call, and return what the keys may do, such as `read_only`.

    The signature carries the venue's clock, so that a wrong clock here does not look like a wrong key. Raises
    CredentialsError that says in words what is missing or wrong, SourceError where OKX cannot be reached.
    """
    found = credentials(environ, required=True)
    assert found, "required, and not missing"
    venue, address = place("okx", HOME, config.url)
    keys = {"apiKey": found.key, "secret": found.secret, "password": found.passphrase}
    transport = connect(venue, address, config, keys)
    try:
        await _take_their_clock(transport)
        return await transport.get(
            Endpoint("privateGetAccountConfig", RateLimit(5, 2.0)),
            {},
            tr("the account's configuration", "账户配置"),
            lambda answer: str(answer["data"][0]["perm"]),
        )
    except RefusedError as refused:
        raise CredentialsError(_in_words(venue, refused)) from None
    finally:
        await transport.close()


async def _take_their_clock(transport: Transport) -> None:
    what = tr("the server time", "服务器时间")
    theirs = await transport.get(
        Endpoint("publicGetPublicTime", RateLimit(10, 2.0)), {}, what, lambda answer: int(answer["data"][0]["ts"])
    )
    transport.sign_at(theirs)


def _in_words(venue: str, refused: RefusedError) -> str:
    explained = _explanations().get(refused.code)
    return f"{venue}: {refused.code}: {explained}" if explained else str(refused)


def _explanations() -> dict[str, str]:
    """What OKX's codes mean for the user who sees them. Source: OKX's v5 documentation; python-okx issue 118 for 50119."""
    return {
        "50101": tr(
            "the key belongs to the other environment; use a live key for live and a demo key for demo trading",
            "API Key 与环境不符;实盘请用实盘 Key,模拟盘请用模拟盘 Key",
        ),
        "50102": tr(
            "the request's time was too far from OKX's clock; set this machine's clock, or look for a slow proxy",
            "请求时间与 OKX 时钟相差过大;请校准本机时钟,或检查代理是否过慢",
        ),
        "50105": tr(
            "OKX_API_PASSPHRASE is wrong; it is the one chosen when the key was made, not the account's password",
            "OKX_API_PASSPHRASE 错误;它是创建 API Key 时设置的口令,不是登录密码",
        ),
        "50110": tr(
            "this machine's address is not on the key's IP list; add it on OKX's API page, or make a key without a list",
            "本机 IP 不在该 Key 的白名单中;请在 OKX 的 API 页面添加,或创建不限 IP 的 Key",
        ),
        "50111": tr(
            "OKX_API_KEY is not a valid key; copy it again, without spaces or quotes",
            "OKX_API_KEY 无效;请重新复制,不要带空格或引号",
        ),
        "50113": tr(
            "the signature is wrong, so OKX_API_SECRET does not belong to this key; copy it again",
            "签名错误,OKX_API_SECRET 与该 Key 不匹配;请重新复制",
        ),
        "50119": tr(
            "the key does not exist here: it was deleted, or it is of another region; accounts of the EEA use "
            "KRONOS_OKX_URL=https://eea.okx.com, those of the US and Australia https://us.okx.com",
            "此处没有该 API Key:可能已删除,或属于其他地区;欧洲经济区账户请设 KRONOS_OKX_URL=https://eea.okx.com,"
            "美国与澳大利亚账户请设 https://us.okx.com",
        ),
    }
