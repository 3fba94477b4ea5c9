"""Addresses that users write: of an exchange, a proxy, a mirror of the hub."""

import re
from urllib.parse import urlsplit


def is_proxy(address: str) -> bool:
    """True for what httpx takes as a proxy: `HOST:PORT`, or an http or SOCKS address."""
    scheme, separator, rest = address.partition("://")
    return is_http(f"http://{rest if separator else address}") and (
        not separator or scheme.lower() in ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
    )


def is_http(address: str) -> bool:
    """True for `http://HOST` and `https://HOST`, with or without a port and a path."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises ValueError for one that is not a number
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not set(address).intersection(" \t\r\n")


def without_password(address: str) -> str:
    """The address with `***` in place of its user and password."""
    return re.sub(r"//[^/@]*@", "//***@", address)
