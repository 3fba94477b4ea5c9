"""Which market a series comes from, by its gaps: nights, weekends, holidays and lunch breaks come back every week."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from kronosforge.clean.calendar import expected
from kronosforge.clean.grid import Instants
from kronosforge.core.bars import DAY, WEEK, Series, Span
from kronosforge.core.i18n import Message, MessageList

# The large markets, futures of Chicago, and currencies. XKRX is left out: it takes seconds to load.
CANDIDATES = ("XSHG", "XHKG", "XNYS", "XLON", "XTKS", "XETR", "XTSE", "XASX", "XBOM", "XTAI", "CMES", "24/5")

FEWEST = 20  # bars; fewer could come from anywhere
MISSING = 0.15  # share of the clock's bars that are missing; a market that closes on weekends only lacks 0.28
RARE = 0.05  # share of the weeks; a bar of the week that is present less often belongs to no session
OFF = 0.02  # share of the bars that may stand where the calendar has none, as `clean.max_bad_share` allows by default
HELD = 0.6  # share of the calendar's bars that are present; the rest are suspensions and outages
EQUAL = 0.001  # calendars whose scores differ by less fit equally well: one day in four years
SHOWN = 3  # series named in a message


class SessionGaps(NamedTuple):
    """A series with gaps like those of a market with sessions."""

    calendars: tuple[str, ...]  # that fit, best first; empty where none of CANDIDATES does
    share: float  # of the bars that stand where the best calendar has one


class _Fit(NamedTuple):
    calendar: str
    on: float  # share of the bars that the calendar has
    held: float  # share of the calendar's bars that are present

    @property
    def score(self) -> float:
        """Harmonic mean of both shares (F1)."""
        return 2 * self.on * self.held / (self.on + self.held) if self.on else 0.0


def session_gaps(ts: Instants, series: Series) -> SessionGaps | None:
    """The calendar that `ts` (open times, ms, ascending, unique) fits, where they have gaps like those of sessions.

    None where the series looks like a market that never closes, or is too short to tell. Bars longer than a day, and
    Hong Kong days, belong to no session. exchange_calendars is loaded only once a series is suspected.
    """
    if series.bar.length > DAY or series.bar.hong_kong or len(ts) < FEWEST:
        return None
    span = Span(int(ts[0]), int(ts[-1]) + series.bar.length)
    if len(ts) > (1 - MISSING) * span.bars(series.bar):
        return None
    fits = sorted((_fit(name, ts, series, span) for name in CANDIDATES), key=lambda fit: -fit.score)
    good = [fit for fit in fits if fit.on >= 1 - OFF and fit.held >= HELD]
    if good:
        equal = tuple(fit.calendar for fit in good if fit.score >= good[0].score - EQUAL)
        return SessionGaps(equal, good[0].on)
    return SessionGaps((), fits[0].on) if _come_back(ts, series, span) else None


def _fit(calendar: str, ts: Instants, series: Series, span: Span) -> _Fit:
    due = expected(calendar, series.bar, span)
    present = np.isin(ts, due, assume_unique=True).sum()
    return _Fit(calendar, present / len(ts), present / max(1, len(due)))


def _come_back(ts: Instants, series: Series, span: Span) -> bool:
    """True where the same bars of the week are missing week after week."""
    weeks = (span.stop - span.start) / WEEK
    per_week = WEEK // series.bar.length
    counts = np.bincount(ts // series.bar.length % per_week, minlength=per_week)
    return weeks >= 2 and bool((counts < RARE * weeks).mean() >= MISSING)


def calendar_advice(gaps: Mapping[Series, SessionGaps]) -> dict[Series, Message]:
    """For each series what to set. Series of one market share one text."""
    groups: dict[tuple[str, ...], list[Series]] = {}
    for series, gap in gaps.items():
        groups.setdefault(gap.calendars, []).append(series)
    texts = {
        calendars: _advice(calendars, group, min(gaps[series].share for series in group))
        for calendars, group in groups.items()
    }
    return {series: texts[gap.calendars] for series, gap in gaps.items()}


def _advice(calendars: tuple[str, ...], group: list[Series], share: float) -> Message:
    names, rest = MessageList(group[:SHOWN]), len(group) - SHOWN
    if rest > 0:
        gaps = Message("{names} and {rest} more series have session gaps", names=names, rest=rest)
    elif len(group) > 1:
        gaps = Message("{names} have session gaps", names=names)
    else:
        gaps = Message("{names} has session gaps", names=names)
    if not calendars:
        return Message(
            "{gaps} (nights, weekends or lunch breaks), and none of the calendars {calendars} fits: check source.timezone and "
            "source.label, or set clean.calendar to another calendar of exchange_calendars",
            gaps=gaps,
            calendars=MessageList(CANDIDATES),
        )
    best, *others = calendars
    fits = Message("calendar {best} fits {percent:.3g} % of the bars", best=best, percent=100 * share)
    if others:
        fits = Message("{fits} (so do {others})", fits=fits, others=MessageList(others))
    return Message(
        "{gaps} (nights, weekends or lunch breaks); {fits}; set clean.calendar to '{best}' (--set clean.calendar={best}), or "
        "to {own} beside series of other markets",
        gaps=gaps,
        fits=fits,
        best=best,
        own=f'{{"{group[0]}": "{best}"}}',
    )
