"""Recognise the market of a series by its gaps: nights, weekends, holidays and lunch breaks recur every week."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from kronosforge.clean.calendar import expected
from kronosforge.clean.grid import Instants
from kronosforge.core.bars import DAY, WEEK, Series, Span
from kronosforge.core.i18n import Message, MessageList

# The large markets, futures of Chicago, and currencies. XKRX is left out: it takes seconds to load.
CANDIDATES = ("XSHG", "XHKG", "XNYS", "XLON", "XTKS", "XETR", "XTSE", "XASX", "XBOM", "XTAI", "CMES", "24/5")

MIN_BARS = 20  # fewer bars could come from any market
MIN_MISSING = 0.15  # share of the bars of a 24/7 market; a market that only closes on weekends lacks 0.28
RARE = 0.05  # share of the weeks; a bar of the week that is present less often belongs to no session
MAX_OFF = 0.02  # share of the bars that may open when the calendar has none, as `clean.max_bad_share` allows by default
MIN_PRESENT = 0.6  # share of the calendar's bars; the rest are suspensions and outages
EQUAL = 0.001  # calendars whose scores differ by less fit equally well: one day in four years
SHOWN = 3  # series named in a message


class SessionGaps(NamedTuple):
    """The calendars that fit a series with gaps like those of a market with sessions."""

    calendars: tuple[str, ...]  # best first; empty if none of CANDIDATES fits
    share: float  # of the bars that open when the best calendar has a bar


class _Fit(NamedTuple):
    calendar: str
    on: float  # share of the bars that the calendar has
    present: float  # share of the calendar's bars that the series has

    @property
    def score(self) -> float:
        """Harmonic mean of both shares (F1)."""
        return 2 * self.on * self.present / (self.on + self.present) if self.on else 0.0


def session_gaps(ts: Instants, series: Series) -> SessionGaps | None:
    """The calendars that fit `ts` (open times, ms, ascending, unique), if they have gaps like those of sessions.

    None if the series looks like a market that never closes or is too short. Bars longer than a day, and Hong Kong days,
    belong to no session. exchange_calendars is loaded only if many bars are missing.
    """
    if series.bar.length > DAY or series.bar.hong_kong or len(ts) < MIN_BARS:
        return None
    span = Span(int(ts[0]), int(ts[-1]) + series.bar.length)
    if len(ts) > (1 - MIN_MISSING) * span.bars(series.bar):
        return None
    fits = sorted((_fit(name, ts, series, span) for name in CANDIDATES), key=lambda fit: -fit.score)
    good = [fit for fit in fits if fit.on >= 1 - MAX_OFF and fit.present >= MIN_PRESENT]
    if good:
        equal = tuple(fit.calendar for fit in good if fit.score >= good[0].score - EQUAL)
        return SessionGaps(equal, good[0].on)
    return SessionGaps((), fits[0].on) if _recur(ts, series, span) else None


def _fit(calendar: str, ts: Instants, series: Series, span: Span) -> _Fit:
    due = expected(calendar, series.bar, span)
    present = np.isin(ts, due, assume_unique=True).sum()
    return _Fit(calendar, present / len(ts), present / max(1, len(due)))


def _recur(ts: Instants, series: Series, span: Span) -> bool:
    """Whether the same bars of the week are missing week after week."""
    weeks = (span.stop - span.start) / WEEK
    per_week = WEEK // series.bar.length
    counts = np.bincount(ts // series.bar.length % per_week, minlength=per_week)
    return weeks >= 2 and bool((counts < RARE * weeks).mean() >= MIN_MISSING)


def calendar_advice(gaps: Mapping[Series, SessionGaps]) -> dict[Series, Message]:
    """The setting to change for each series. Series of one market share one text."""
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
