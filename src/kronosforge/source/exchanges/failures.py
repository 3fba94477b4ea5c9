"""Messages for failed requests and their retries.

The errors' own text is never shown: it may hold an address with a password.
"""

import logging
import ssl
import time

import aiohttp

from kronosforge.core.i18n import Message, _

log = logging.getLogger("kronosforge.source")

NOTICE_EVERY = 1.0  # seconds between two lines about retries: many requests may fail at once

# Classes of errors, and what they mean; the first row that fits counts.
REASONS: tuple[tuple[tuple[type[BaseException], ...], Message], ...] = (
    ((TimeoutError,), Message("timed out after {timeout_s:g} s")),
    ((aiohttp.ClientProxyConnectionError,), Message("the proxy cannot be reached")),
    ((aiohttp.ClientHttpProxyError,), Message("the proxy returned HTTP {status}")),
    ((aiohttp.ClientConnectorDNSError,), Message("host name not found")),
    (
        (ssl.SSLError, aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError),
        Message("the TLS connection failed (is the certificate trusted?)"),
    ),
    ((ConnectionRefusedError,), Message("connection refused")),
    (
        (ConnectionError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError),
        Message("the connection was closed before the response"),
    ),
    ((aiohttp.ClientPayloadError,), Message("the response was incomplete")),
)


def reason_of(error: BaseException, timeout_s: float) -> str:
    """Why there was no response within `timeout_s` seconds, in a few words."""
    specific = aiohttp.ClientProxyConnectionError, aiohttp.ClientConnectorDNSError, aiohttp.ClientSSLError
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, specific):
        error = error.os_error
    for classes, text in REASONS:
        if isinstance(error, classes):
            return _(text.message, status=getattr(error, "status", ""), timeout_s=timeout_s)
    name = type(error).__name__
    return _("no response ({name})", name=name)


class Notices:
    """Reports failed requests and retries as they happen; on stderr, unless logging is configured otherwise."""

    def __init__(self) -> None:
        self._next = 0.0  # monotonic seconds

    def show(self, text: str) -> None:
        """Show one line, unless another was shown less than a second ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + NOTICE_EVERY
            log.warning("%s", text)
