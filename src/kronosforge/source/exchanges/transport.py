"""One venue over HTTP: ccxt's raw endpoints, our own check of every response, bounded retries.

ccxt signs, builds addresses and speaks HTTP. Its exceptions are not used: their text may hold addresses and headers, and
their classes hide codes that matter (OKX's 50119 is unmapped, HTML on HTTP 429 becomes ExchangeNotAvailable). Its log is
silenced, because it prints the headers of signed requests.
"""

import asyncio
import importlib
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from kronosforge.config import SourceConfig
from kronosforge.core.addresses import is_http
from kronosforge.core.console import printable
from kronosforge.core.errors import ConfigError, SourceError
from kronosforge.core.i18n import _
from kronosforge.source.exchanges.failures import Notices, reason_of
from kronosforge.source.exchanges.rate import RateLimit

log = logging.getLogger("kronosforge.source")

# Seconds. Nine attempts, the default, take half a minute: short outages pass in that time.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0

_dice = random.SystemRandom()
_mute = logging.Logger("ccxt, muted", logging.CRITICAL + 1)  # unattached, so no level that a user sets reaches it

T = TypeVar("T")


class Verdict(NamedTuple):
    """What is wrong with an answer: the venue's code ("" where it gave none), words, and whether to ask again."""

    code: str
    reason: str
    again: bool


# From HTTP status and JSON body to what is wrong with them, None for a good answer.
Judge = Callable[[int, dict[str, Any] | list[Any]], Verdict | None]


class FaultyAnswerError(Exception):
    """One answer that cannot be used. Stays inside this package."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


class RefusedError(SourceError):
    """The venue refused the request. `code` is the venue's own."""

    def __init__(self, detail: str, verdict: Verdict) -> None:
        super().__init__(detail)
        self.code = verdict.code


class Endpoint(NamedTuple):
    """A method of ccxt's raw interface, and the rate limit that all its callers share."""

    method: str
    limit: RateLimit


class Transport:
    """Sends requests to one venue. Connects at the first request and belongs to the event loop of that moment.

    venue     its name in messages
    exchange  ccxt's module and class, `okx`
    options   ccxt's settings: addresses, and credentials where requests are to be signed
    judge     returns what is wrong with a response, None for a good one
    """

    def __init__(
        self, venue: str, exchange: str, config: SourceConfig, judge: Judge, options: Mapping[str, Any] | None = None
    ) -> None:
        self.venue = venue
        self.tries = config.retries + 1
        self._timeout_s = config.timeout_s
        self._notices = Notices()
        self._exchange_name = exchange
        self._judge = judge
        self._options = {
            **(options or {}),
            "enableRateLimit": False,  # RateLimit replaces it
            "timeout": round(config.timeout_s * 1000),
            "aiohttp_proxy": _proxy(config.proxy),
        }
        self._exchange: Any = None
        self._network_errors: tuple[type[Exception], ...] = ()

    async def get(self, endpoint: Endpoint, params: Mapping[str, Any], what: str, read: Callable[[Any], T]) -> T:
        """`read` of the response. Missing and broken responses and temporary errors are retried.

        `what` says in a message what was asked for; `read` raises KeyError, IndexError, TypeError or ValueError on an
        answer of the wrong shape. Raises RefusedError where a retry is useless, SourceError after the last attempt.
        """
        verdict = Verdict("", "", again=True)
        for attempt in range(self.tries):
            await pause(attempt)
            try:
                async with endpoint.limit.request():
                    log.debug("%s: %s: %s %s", self.venue, what, endpoint.method, dict(params))
                    answer = await self._ask(endpoint.method, params)
                return _shaped(answer, read)
            except FaultyAnswerError as fault:
                verdict = fault.verdict
            log.debug("%s: %s: attempt %d of %d: %s", self.venue, what, attempt + 1, self.tries, verdict.reason)
            if not verdict.again:
                raise RefusedError(
                    _(
                        "{venue} refused the request for {what}: {reason}; check the instrument and the bar, and whether {venue} serves your region",
                        venue=self.venue,
                        what=what,
                        reason=verdict.reason,
                    ),
                    verdict,
                )
            if attempt + 1 < self.tries:
                self._notices.show(
                    _(
                        "{venue}: attempt {attempt} of {tries} to fetch {what} failed: {reason}; retrying",
                        venue=self.venue,
                        attempt=attempt + 1,
                        tries=self.tries,
                        what=what,
                        reason=verdict.reason,
                    )
                )
        raise self.exhausted(what, verdict.reason)

    def exhausted(self, what: str, reason: str) -> SourceError:
        """The error after the last attempt."""
        return SourceError(
            _(
                "Could not fetch {what} from {venue} after {tries} attempts: {reason}; check the "
                "network, the proxy (source.proxy) and the address (KRONOS_OKX_URL, source.url), or "
                "raise source.retries, and run again",
                what=what,
                venue=self.venue,
                tries=self.tries,
                reason=reason,
            )
        )

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Any:
        exchange = self._open()
        try:
            return await getattr(exchange, method)(dict(params))
        except self._network_errors as error:
            reason = reason_of(error.__cause__ or error, self._timeout_s)
            raise FaultyAnswerError(Verdict("", reason, again=True)) from None

    def _open(self) -> Any:
        if self._exchange is None:
            # a second of imports, so not before the first request; by name, because each venue is a module of ccxt
            module = importlib.import_module(f"ccxt.async_support.{self._exchange_name}")
            self._exchange = getattr(module, self._exchange_name)(self._options)
            self._exchange.logger = _mute
            self._exchange.handle_errors = self._weigh
            self._exchange.handle_http_status_code = lambda *_: None
            self._network_errors = (importlib.import_module("ccxt").BaseError, OSError)
        return self._exchange

    def _weigh(self, *answer: Any) -> None:
        """ccxt calls this with every answer: status, reason, url, method, headers, text, body (None: no JSON), …"""
        status, body = answer[0], answer[6]
        if isinstance(body, dict | list):
            verdict = self._judge(status, body)
        else:
            verdict = Verdict("", _("HTTP {status} without JSON", status=status), again=True)
        if verdict:  # its text is the venue's own: kept to one line of moderate length
            text = printable(" ".join(verdict.reason.split())[:200])
            status_text = f"HTTP {status}: " if status >= 400 and not text.startswith("HTTP") else ""
            raise FaultyAnswerError(verdict._replace(reason=status_text + text))

    def sign_at(self, now: int) -> None:
        """Sign requests with the venue's clock, whose time is `now` (ms), instead of this machine's."""
        exchange = self._open()
        ahead = now - exchange.milliseconds()
        exchange.nonce = lambda: exchange.milliseconds() + ahead

    async def close(self) -> None:
        """Release the connections. Safe to call twice."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.close()


def _proxy(address: str | None) -> str | None:
    """`address`, if it is that of an HTTP proxy. Raises ConfigError, which leaves out what may be a password."""
    if not address:
        return None
    if not is_http(address):
        raise ConfigError(
            _(
                "source.proxy: {address!r} is not the address of an HTTP proxy; use one such as http://127.0.0.1:7890 (SOCKS proxies are not supported)",
                address=address.rpartition("@")[2],
            )
        )
    return address


def _shaped(answer: Any, read: Callable[[Any], T]) -> T:
    try:
        return read(answer)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        detail = printable(str(error)[:200])
        reason = _("unexpected response format ({detail})", detail=detail)
        raise FaultyAnswerError(Verdict("", reason, again=True)) from None


async def pause(attempt: int) -> None:
    """Wait before attempt number `attempt`: not before the first, then ever longer, jittered."""
    if attempt:
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
        await asyncio.sleep(longest * _dice.uniform(0.5, 1.0))
