"""The open times of the bars to come: a regular step carried on, or the sessions of an exchange."""

from typing import NamedTuple

import numpy as np

from kronosforge.clean.calendar import expected, upcoming
from kronosforge.config import ALWAYS_OPEN
from kronosforge.core.bars import DAY, LENGTHS, MINUTE, Bar, Span, bar, iso
from kronosforge.core.console import brief
from kronosforge.core.errors import DataError, UsageError
from kronosforge.core.i18n import _
from kronosforge.forecast.history import Instants


class Schedule(NamedTuple):
    """When the next bars open."""

    ahead: Instants  # (T,), ms UTC
    missing: int = 0  # bars of the calendar that are not among those known


def check_calendar(calendar: object) -> None:
    """Raise UsageError where `calendar` is not text, ConfigError where it is unknown."""
    if not isinstance(calendar, str):
        raise UsageError(
            _(
                "calendar is {calendar}; it must be {always}, or a name of exchange_calendars such as 'XSHG'",
                calendar=brief(calendar),
                always=repr(ALWAYS_OPEN),
            )
        )
    if calendar != ALWAYS_OPEN:
        expected(calendar, bar("1D"), Span(0, 1))


def schedule(key: str, times: Instants, horizon: int, calendar: str) -> Schedule:
    """The next `horizon` open times after the known `times`, by a calendar: `24/7` carries their regular step on.

    Raises UsageError where the known bars are not evenly spaced, DataError where they do not fit the calendar's
    sessions, ConfigError for an unknown calendar.
    """
    if calendar == ALWAYS_OPEN:
        return Schedule(_carried_on(key, times, horizon))
    step, due = _fitting(key, times, calendar)
    return Schedule(upcoming(calendar, step, int(times[-1]), horizon), len(due) - len(times))


def check_given(key: str, newest: int, ahead: Instants, horizon: int) -> None:
    """Raise UsageError where the future times that a caller gave are not `horizon` ascending ones after `newest`."""
    if len(ahead) != horizon:
        raise UsageError(
            _(
                "{key}: {count} future times were given for a horizon of {horizon} bars",
                key=key,
                count=len(ahead),
                horizon=horizon,
            )
        )
    if ahead[0] <= newest:
        raise UsageError(
            _(
                "{key}: the first future time, {ahead}, is not after the last known bar, {newest}",
                key=key,
                ahead=iso(int(ahead[0])),
                newest=iso(newest),
            )
        )
    wrong = np.flatnonzero(np.diff(ahead) <= 0)
    if len(wrong):
        before, after = (iso(int(time)) for time in ahead[wrong[0] : wrong[0] + 2])
        raise UsageError(
            _(
                "{key}: future times must ascend, each once; {after} follows {before}",
                key=key,
                after=after,
                before=before,
            )
        )


def _carried_on(key: str, times: Instants, horizon: int) -> Instants:
    steps = np.unique(np.diff(times))
    if len(steps) != 1:
        least, most = f"{steps[0] / MINUTE:g}", f"{steps[-1] / MINUTE:g}"
        raise UsageError(
            _(
                "{key}: Future timestamps cannot be inferred, because known bars are {least} to {most} "
                "minutes apart; pass calendar= for a market with sessions (such as 'XSHG' or 'XNYS'), or "
                "the times themselves as future=",
                key=key,
                least=least,
                most=most,
            )
        )
    ahead: Instants = times[-1] + steps[0] * np.arange(1, horizon + 1)
    return ahead


def _fitting(key: str, times: Instants, calendar: str) -> tuple[Bar, Instants]:
    """The bar size at which `times` are neighbours in the calendar, and every open time due among them."""
    span = Span(int(times[0]), int(times[-1]) + 1)
    sizes = [bar(code) for code, length in LENGTHS.items() if length <= DAY]
    for size in reversed(sizes):  # where two fit, their future times are the same
        due = expected(calendar, size, span)
        if np.isin(times, due).all() and np.median(np.diff(np.searchsorted(due, times))) == 1:
            return size, due
    raise DataError(
        _(
            "{key}: its bars, such as {start}, do not open where {calendar} has bars. Times are the "
            "open of each bar; times without a zone are UTC (use tz_localize for local ones); daily "
            "bars are dates without a time of day",
            key=key,
            start=iso(span.start),
            calendar=calendar,
        )
    )
