"""Signed requests: OKX's checks, in its order and with its codes (v5 documentation, section 6, REST authentication)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

WINDOW = 30_000  # ms that a signature stays fresh
HEADERS = {
    "OK-ACCESS-KEY": "50103",
    "OK-ACCESS-PASSPHRASE": "50104",
    "OK-ACCESS-SIGN": "50106",
    "OK-ACCESS-TIMESTAMP": "50107",
}


class RefusedError(Exception):
    """A response with a code other than 0."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True)
class Credentials:
    """The account of the sandbox. These are no secrets: they are valid for the sandbox only."""

    key: str = "sandbox-key"
    secret: str = field(default="sandbox-secret", repr=False)
    passphrase: str = field(default="sandbox-passphrase", repr=False)


# Keys for states of an account that no header can cause: a key of another region, a key bound to an address.
REFUSED = {
    "sandbox-key-elsewhere": (200, "50119", "API key doesn't exist"),
    "sandbox-key-bound": (401, "50110", "Your IP 127.0.0.1 is not included in your API key's IP whitelist"),
    "sandbox-key-demo": (401, "50101", "APIKey does not match current environment"),
}


def check(headers: Mapping[str, str], method: str, path_qs: str, now: int, account: Credentials) -> None:
    """Raise the RefusedError that OKX answers to a signed request without a body, if any. `now` is the exchange's clock in ms."""
    for name, code in HEADERS.items():
        if not headers.get(name):
            raise RefusedError(401, code, f"Request header {name} can not be empty.")
    key, passphrase, sign, timestamp = (headers[name] for name in HEADERS)
    if key in REFUSED:
        raise RefusedError(*REFUSED[key])
    if key != account.key:
        raise RefusedError(401, "50111", "Invalid OK-ACCESS-KEY")
    if headers.get("x-simulated-trading") == "1":
        raise RefusedError(*REFUSED["sandbox-key-demo"])
    if abs(_instant(timestamp) - now) > WINDOW:
        raise RefusedError(401, "50102", "Timestamp request expired")
    if passphrase != account.passphrase:
        raise RefusedError(401, "50105", "Request header OK-ACCESS-PASSPHRASE incorrect.")
    if not hmac.compare_digest(sign.encode(), signature(account.secret, timestamp + method + path_qs).encode()):
        raise RefusedError(401, "50113", "Invalid Sign")


def signature(secret: str, prehash: str) -> str:
    """base64(HMAC-SHA256(secret, timestamp + METHOD + path with query + body))."""
    return base64.b64encode(hmac.digest(secret.encode(), prehash.encode(), hashlib.sha256)).decode()


def _instant(timestamp: str) -> int:
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise RefusedError(401, "50112", "Invalid OK-ACCESS-TIMESTAMP")
    return round(moment.timestamp() * 1000)
