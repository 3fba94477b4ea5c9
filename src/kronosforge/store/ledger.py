"""The manifest of one series: spans stored in files, spans that are empty at the venue, and the listing."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from kronosforge.core.bars import Span, join, subtract
from kronosforge.core.digests import canonical, fingerprint

VERSION = 1
# An instant before any candle: the start of the span before the listing.
EVER = -(2**62)

_NAME = re.compile(r"\d{8}T\d{6}-\d{8}T\d{6}-[0-9a-f]{12}\.parquet")


class DataFile(NamedTuple):
    """A data file. It holds every candle that the venue has inside `span` and never changes."""

    name: str
    span: Span
    first: int  # open time of its first candle
    last: int
    rows: int
    size: int  # bytes
    sha256: str


class Ledger(NamedTuple):
    """One series' manifest. Every span that it does not record is missing.

    It records nothing after the newest candle, because the venue may still publish bars there.
    """

    files: tuple[DataFile, ...] = ()  # ascending, disjoint
    once: tuple[Span, ...] = ()  # the venue returned no candle there on the first request
    gaps: tuple[Span, ...] = ()  # … nor on the second: gaps of the venue itself; `holes` in the file
    listing: int | None = None  # the venue has nothing before this instant

    def empty(self) -> list[Span]:
        """Spans without candles at the venue: before the listing, and where requests returned none."""
        before = [] if self.listing is None else [Span(EVER, self.listing)]
        return [*before, *self.once, *self.gaps]

    def missing(self, span: Span) -> list[Span]:
        """The parts of `span` that must be fetched, ascending."""
        return subtract(span, [*self.empty(), *(file.span for file in self.files)])

    def segments(self, span: Span) -> list[Span]:
        """The segments of `span` in which files hold every bar, ascending."""
        return subtract(span, [*self.empty(), *self.missing(span)])

    def touching(self, span: Span) -> list[DataFile]:
        """The files that overlap `span`."""
        return [file for file in self.files if file.span.start < span.stop and span.start < file.span.stop]

    def answered(self, span: Span, empty: list[Span], *, again: bool) -> "Ledger":
        """A ledger that records a request for `span` (the second where `again`) and the `empty` parts of the response."""
        once, gaps = _outside(self.once, span), _outside(self.gaps, span)
        return self._replace(once=(*once, *(() if again else empty)), gaps=(*gaps, *(empty if again else ())))

    def replacing(self, old: Iterable[DataFile], new: DataFile) -> "Ledger":
        """A ledger with `new` in place of `old`."""
        return self._replace(files=tuple(sorted({*self.files} - {*old} | {new}, key=lambda file: file.span)))

    def forgetting(self, lost: DataFile) -> "Ledger":
        """A ledger without the file `lost` and all that was recorded inside its span."""
        kept = tuple(file for file in self.files if file != lost)
        once, gaps = _outside(self.once, lost.span), _outside(self.gaps, lost.span)
        return self._replace(files=kept, once=once, gaps=gaps).tidy()

    def tidy(self) -> "Ledger":
        """The normal form: spans joined, none before the listing or after the newest candle."""
        listing = self.listing
        if not self.files:
            return Ledger(listing=listing)
        first = self.files[0].first
        if listing is not None and not self.missing(Span(listing, first)):
            listing = first
        alive = Span(EVER if listing is None else listing, self.files[-1].span.stop)
        return Ledger(self.files, _inside(self.once, alive), _inside(self.gaps, alive), listing)

    def dump(self) -> bytes:
        """The manifest's bytes."""
        body: dict[str, Any] = {"version": VERSION, **self._asdict()}
        body["files"] = [file._asdict() for file in self.files]
        body["holes"] = body.pop("gaps")
        return canonical({**body, "digest": fingerprint(body)})


class NewerError(ValueError):
    """The manifest was written by a later version of this program."""


def parse(data: bytes) -> Ledger:
    """The ledger that `dump` wrote. Raises NewerError for a later version; ValueError, KeyError or TypeError for other content."""
    body = json.loads(data)
    if isinstance(body["version"], int) and body["version"] > VERSION:
        raise NewerError(body["version"])
    if body.pop("digest", None) != fingerprint(body):
        raise ValueError("digest")
    files = tuple(DataFile(**{**file, "span": Span(*file["span"])}) for file in body["files"])
    if not all(_NAME.fullmatch(file.name) for file in files):
        raise ValueError("file names")
    return Ledger(files, _spans(body["once"]), _spans(body["holes"]), body["listing"])


def _spans(pairs: list[list[int]]) -> tuple[Span, ...]:
    return tuple(Span(*pair) for pair in pairs)


def _outside(spans: Sequence[Span], cut: Span) -> tuple[Span, ...]:
    return tuple(part for span in spans for part in subtract(span, [cut]))


def _inside(spans: Sequence[Span], frame: Span) -> tuple[Span, ...]:
    clipped = [Span(max(span.start, frame.start), min(span.stop, frame.stop)) for span in spans]
    return tuple(join(clipped))
