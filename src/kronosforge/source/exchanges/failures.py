"""Why a request got no answer, in words, and that it is repeated.

The errors' own text is never shown: it may hold an address with a password.
"""

import logging
import ssl
import time

import aiohttp

from kronosforge.core.i18n import tr

log = logging.getLogger("kronosforge.source")

NOTICE_EVERY = 1.0  # seconds between two lines about retries: many requests may fail at once

# Classes of errors, what they mean in English and in Chinese; the first row that fits counts.
REASONS: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    ((TimeoutError,), "timed out after {timeout_s:g} s", "{timeout_s:g} 秒内没有应答"),
    ((aiohttp.ClientProxyConnectionError,), "the proxy cannot be reached", "无法连接代理"),
    ((aiohttp.ClientHttpProxyError,), "the proxy answered HTTP {error.status}", "代理返回 HTTP {error.status}"),
    ((aiohttp.ClientConnectorDNSError,), "host name not found", "无法解析主机名"),
    (
        (ssl.SSLError, aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError),
        "the TLS connection failed (is the certificate trusted?)",
        "TLS 连接失败(证书是否可信?)",
    ),
    ((ConnectionRefusedError,), "connection refused", "连接被拒绝"),
    (
        (ConnectionError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError),
        "the connection was closed before the answer",
        "连接在应答之前被关闭",
    ),
    ((aiohttp.ClientPayloadError,), "the answer broke off", "应答不完整"),
)


def reason_of(error: BaseException, timeout_s: float) -> str:
    """What happened instead of an answer within `timeout_s` seconds, in a few words."""
    specific = aiohttp.ClientProxyConnectionError, aiohttp.ClientConnectorDNSError, aiohttp.ClientSSLError
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, specific):
        error = error.os_error
    for classes, english, chinese in REASONS:
        if isinstance(error, classes):
            return tr(english, chinese).format(error=error, timeout_s=timeout_s)
    name = type(error).__name__
    return tr(f"no answer ({name})", f"没有应答({name})")


class Notices:
    """Says that requests fail and are repeated, as it happens; on stderr, unless the log is configured otherwise."""

    def __init__(self) -> None:
        self._next = 0.0  # monotonic seconds

    def show(self, text: str) -> None:
        """Show one line, unless another was shown less than a second ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + NOTICE_EVERY
            log.warning("%s", text)
