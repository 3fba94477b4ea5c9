"""Addresses that users write: of an exchange, a proxy, a mirror of the hub."""

from urllib.parse import urlsplit


def is_http(address: str) -> bool:
    """True for `http://HOST` and `https://HOST`, with or without a port and a path."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises ValueError for one that is not a number
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not set(address).intersection(" \t\r\n")
