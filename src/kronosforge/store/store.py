"""The store: which candles it holds of every series, which are missing, and how those are fetched."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from kronosforge.core.bars import Bar, Series, Span, bar, instrument_id, iso
from kronosforge.core.candles import SCHEMA
from kronosforge.core.errors import ConfigError, SourceError
from kronosforge.core.i18n import _
from kronosforge.core.locks import locked_async
from kronosforge.source.base import Batch, Source
from kronosforge.store.ledger import Ledger
from kronosforge.store.shelf import DamagedError, Shelf

# A killed download loses at most this many rows or seconds.
FLUSH_ROWS, FLUSH_SECONDS = 5_000, 2.0
# Files that a long download writes before they are merged; keeps the manifest, rewritten each time, small.
LOOSE_FILES = 32

_VENUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+-]*")

log = logging.getLogger("kronosforge.store")

Progress = Callable[[Series, int, int], None]
"""Called with a series, the number of bars of the wanted span that are done, and their total."""


class Updated(NamedTuple):
    """What an update did."""

    asked: list[Span]  # missing spans that were fetched, newest first
    again: list[Span]  # empty spans that were requested a second time
    gaps: list[Span]  # gaps of the venue in the wanted span
    set_aside: list[Path]  # damaged files


class Stock(NamedTuple):
    """What the store holds of one series."""

    venue: str
    series: Series
    span: Span  # first open → last close
    rows: int
    gaps: list[Span]  # requested twice: gaps of the venue itself
    listing: int | None  # the venue has nothing before it; None where unknown
    files: int
    bytes: int


class Store:
    """Candles under `root/<venue>/<instrument>/<bar>/`. One process writes a series at a time; anyone may read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._shelves: dict[Path, Shelf] = {}

    async def update(self, source: Source, series: Series, span: Span, progress: Progress | None = None) -> Updated:
        """Fetch what `source` has inside `span` and the store lacks; nothing else is requested.

        Empty spans are requested a second time, then recorded as the venue's own gaps. Damaged files are set aside and
        their spans fetched again. After an interruption the next update continues. Raises SourceError; BusyError where another
        process holds the series for too long; DiskError.
        """
        shelf = self._shelf(source.venue, series)
        what = _("the candles of {series} from {venue}", series=series, venue=source.venue)
        async with locked_async(shelf.folder, what):
            ledger, lost = shelf.open()
            wanted = _on_grid(span, series.bar)
            asked = ledger.missing(wanted)[::-1]
            download = _Download(source, series, shelf, ledger, _reporter(series, wanted, asked, progress))
            for missing in asked:
                await download.ask(missing, again=False)
            empty = [once for once in download.ledger.once[::-1] if _clipped([once], wanted)]
            for once in empty:
                await download.ask(once, again=True)
            done = shelf.compact(download.ledger)
        return Updated(asked, empty, _clipped(done.gaps, wanted), lost)

    def read(self, venue: str, series: Series, span: Span) -> pl.DataFrame:
        """The candles held inside `span`: candles.SCHEMA, ascending, unique. Raises DataError for a damaged file."""
        shelf = self._shelf(venue, series)
        return shelf.look(lambda ledger: shelf.candles(ledger, span))

    def times(self, venue: str, series: Series, span: Span) -> np.ndarray:
        """The open times of the candles that `read` returns, int64 ms, from the manifest alone.

        Raises DataError for a damaged manifest.
        """
        held = self._shelf(venue, series).ledger().segments(_on_grid(span, series.bar))
        opens = [np.arange(*segment, series.bar.length, dtype=np.int64) for segment in held]
        return np.concatenate([np.empty(0, np.int64), *opens])

    def missing(self, venue: str, series: Series, span: Span) -> list[Span]:
        """The parts of `span` that an update would fetch, ascending. Locks and writes nothing."""
        wanted = _on_grid(span, series.bar)
        missing = self._ledger(venue, series).missing(wanted)
        log.debug("%s %s: wanted %s, missing %s", venue, series, wanted, ", ".join(map(str, missing)) or "nothing")
        return missing

    def listing(self, venue: str, series: Series) -> int | None:
        """Open time of the first candle that the venue has ever had; None where unknown."""
        return self._ledger(venue, series).listing

    def inventory(self) -> list[Stock]:
        """Every series with stored candles, by venue, instrument and bar length. Damaged files are logged as warnings."""
        stocks = [self._stock(folder) for folder in self.root.glob("*/*/*") if folder.is_dir()]
        return sorted((s for s in stocks if s), key=lambda s: (s.venue, s.series.instrument, s.series.bar[1:]))

    def _stock(self, folder: Path) -> Stock | None:
        try:
            series = Series(instrument_id(folder.parent.name), bar(folder.name))
            ledger = self._ledger(folder.parent.parent.name, series)
        except ConfigError:  # not a folder of the store
            return None
        files = ledger.files
        if not files:
            return None
        for file in files:
            try:
                self._shelf(folder.parent.parent.name, series).check_size(file)
            except DamagedError as error:
                log.warning("%s", error)
        span = Span(files[0].first, files[-1].last + series.bar.length)
        rows, size = sum(file.rows for file in files), sum(file.size for file in files)
        return Stock(folder.parent.parent.name, series, span, rows, list(ledger.gaps), ledger.listing, len(files), size)

    def _ledger(self, venue: str, series: Series) -> Ledger:
        try:
            return self._shelf(venue, series).ledger()
        except DamagedError as error:
            log.warning("%s", error)
            return Ledger()

    def _shelf(self, venue: str, series: Series) -> Shelf:
        folder = self.root / venue / instrument_id(series.instrument) / series.bar.code
        if not _VENUE.fullmatch(venue) or bar(series.bar.code) != series.bar:
            raise ConfigError(
                _(
                    "{venue}/{series} is not a valid candle folder; use letters, digits and @ . _ + -",
                    venue=venue,
                    series=series,
                )
            )
        return self._shelves.setdefault(folder, Shelf(folder, series.bar))


class _Download:
    """Fetches from the source and stores the batches as they arrive."""

    def __init__(
        self, source: Source, series: Series, shelf: Shelf, ledger: Ledger, report: Callable[[int], None]
    ) -> None:
        self.source = source
        self.series = series
        self.shelf = shelf
        self.ledger = ledger
        self.report = report
        self.crowded = len(ledger.files) + LOOSE_FILES

    async def ask(self, span: Span, *, again: bool) -> None:
        """Fetch `span`. Batches that arrived before an interruption or an error are stored."""
        log.debug("%s: asking %s for %s%s", self.series, self.source.venue, span, " again" if again else "")
        batches: list[Batch] = []
        cursor, saved = span.stop, time.monotonic()
        try:
            async for batch in self.source.fetch(self.series, span):
                assert batch.span.stop >= cursor, "batches are adjacent, newest first"
                _check(self.source.venue, self.series, batch)
                batches.append(batch)
                before, cursor = cursor, span.start if batch.oldest else max(span.start, batch.span.start)
                if not again:
                    self.report(Span(cursor, before).bars(self.series.bar))
                if sum(b.candles.height for b in batches) >= FLUSH_ROWS or time.monotonic() - saved > FLUSH_SECONDS:
                    self._keep(batches, span, again=again)
                    saved = time.monotonic()
            assert cursor == span.start, "the batches together are the span"
        finally:
            self._keep(batches, span, again=again)

    def _keep(self, batches: list[Batch], asked: Span, *, again: bool) -> None:
        """Store the batches and empty the list."""
        if not batches:
            return
        newest, last = batches[0], batches[-1]
        start = min(asked.start, last.span.start) if last.oldest else last.span.start
        span = _on_grid(Span(start, newest.span.stop), self.series.bar)
        frames = [batch.candles for batch in batches]
        batches.clear()
        self.ledger = self.shelf.absorb(self.ledger, span, frames, oldest=last.oldest, again=again)
        if len(self.ledger.files) > self.crowded:
            self.ledger = self.shelf.compact(self.ledger)
            self.crowded = len(self.ledger.files) + LOOSE_FILES


def _check(venue: str, series: Series, batch: Batch) -> None:
    """Refuse a batch that would corrupt the store: wrong columns, disorder, bars of another anchor. Raises SourceError."""
    assert batch.candles.schema == SCHEMA, batch.candles.schema
    times = batch.candles["ts"].to_numpy()
    if not len(times):
        return
    ordered = bool((np.diff(times) > 0).all()) and batch.span.start <= times[0] and times[-1] < batch.span.stop
    off = times[(times - series.bar.offset) % series.bar.length != 0]
    if ordered and not len(off):
        return
    problem = f"{iso(int(off[0]))} ∉ {series.bar.code}" if len(off) else _("bars out of order")
    raise SourceError(
        _(
            "{venue} returned invalid candles for {series} ({problem}); none were stored, try again or report the problem",
            venue=venue,
            series=series,
            problem=problem,
        )
    )


def _reporter(series: Series, wanted: Span, asked: list[Span], progress: Progress | None) -> Callable[[int], None]:
    """A callback that adds its argument to the bars done and reports to `progress`."""
    total = wanted.bars(series.bar)
    answered = total - sum(span.bars(series.bar) for span in asked)

    def report(bars: int) -> None:
        nonlocal answered
        answered += bars
        if progress:
            progress(series, answered, total)

    report(0)
    return report


def _on_grid(span: Span, bar: Bar) -> Span:
    """The same bars as a span whose ends lie on the grid."""
    return Span(bar.ceil(span.start), bar.ceil(span.stop))


def _clipped(spans: Sequence[Span], window: Span) -> list[Span]:
    """The parts of `spans` inside `window`."""
    return [s for span in spans if (s := Span(max(span.start, window.start), min(span.stop, window.stop)))]
