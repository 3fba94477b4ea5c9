"""Which series a file holds, by its name: `<INSTRUMENT>_<BAR>[_anything].{csv,csv.gz,parquet,feather,zip}`."""

import re
from pathlib import Path
from typing import NamedTuple

from kronosforge.core.bars import DAY, HONG_KONG, HOUR, LENGTHS, MINUTE, WEEK, Bar, Series, bar, instrument_id
from kronosforge.core.errors import ConfigError, NoDataError, SourceError
from kronosforge.core.i18n import _

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".feather", ".zip")

# A single capital M is a month everywhere, which is not a supported bar; every other unit may be written in either case.
_BAR = re.compile(
    r"(?:(?P<count>\d{1,4})(?P<unit>(?i:min|h|d|w)|m)|(?P<word>(?i:hourly|daily|weekly)))(?P<anchor>(?i:utc|@utc\+8)?)"
)
_UNITS = {"m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_LENGTHS = {"hourly": HOUR, "daily": DAY, "weekly": WEEK}
_CODES = {length: code for code, length in LENGTHS.items()}


class Named(NamedTuple):
    """A candle file and the parts of its name."""

    path: Path
    instrument: str
    code: str  # without anchor
    anchor: str  # `utc`, `@utc+8`, or empty: then the rows tell which day it is
    exact: bool  # nothing after the bar

    def fits(self, series: Series) -> bool:
        """True where the name allows `series`."""
        base = series.bar.code.removesuffix(HONG_KONG)
        anchors = ("", "@utc+8") if series.bar.hong_kong else ("", "utc")
        return (self.instrument, self.code) == (series.instrument, base) and self.anchor in anchors

    @property
    def readings(self) -> list[Series]:
        """The series that the name allows: a `1D` without anchor may be the UTC or the Hong Kong day."""
        return [s for b in anchored(self.code) if self.fits(s := Series(self.instrument, b))]


def anchored(code: str) -> list[Bar]:
    """The bar `code`, and its Hong Kong twin where that one opens at other instants."""
    splits = (8 * HOUR) % LENGTHS[code] != 0
    return [bar(code), bar(code + HONG_KONG)] if splits else [bar(code)]


def scan(folder: Path) -> list[Named]:
    """The files of `folder` itself whose names say a series, by name. Raises SourceError where it is no folder."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise SourceError(
            _(
                "{folder} cannot be read as a candle folder: {reason}; use --source files:DIR",
                folder=folder,
                reason=error.strerror,
            )
        ) from None
    return [named for path in paths if (named := parse(path))]


def parse(path: Path) -> Named | None:
    """The series that the name of `path` allows; None where it names none. `_` before the bar is tried before `-`."""
    suffix = max((s for s in SUFFIXES if path.name.lower().endswith(s)), key=len, default="")
    stem = path.name[: len(path.name) - len(suffix)]
    if not suffix:
        return None
    for separator in "_-":
        for at in (i for i, letter in enumerate(stem) if letter == separator):
            match = _BAR.match(stem, at + 1)
            code = _code(match) if match else None
            rest = stem[match.end() :] if match else ""
            if match and code and rest[:1] in ("", "_", "-", ".", " ") and _is_instrument(stem[:at]):
                return Named(path, stem[:at], code, match["anchor"].lower(), not rest)
    return None


def _code(match: re.Match[str]) -> str | None:
    if match["word"]:
        return _CODES[_LENGTHS[match["word"].lower()]]
    return _CODES.get(int(match["count"]) * _UNITS[match["unit"].lower()])


def _is_instrument(name: str) -> bool:
    try:
        return bool(instrument_id(name))
    except ConfigError:
        return False


def choose(folder: Path, series: Series) -> Named:
    """The one file of `folder` that holds `series`.

    A name with nothing after the bar goes before others, then a named anchor (`1Dutc`) before none. Raises NoDataError
    where no name fits, SourceError where several fit equally.
    """
    files = scan(folder)
    fitting = sorted((n for n in files if n.fits(series)), key=_rank)
    if not fitting:
        raise NoDataError(_nothing_fits(folder, series, files))
    best = [n for n in fitting if _rank(n) == _rank(fitting[0])]
    if len(best) > 1:
        names = ", ".join(n.path.name for n in best)
        raise SourceError(
            _(
                "{folder} has several files for {series}: {names}; keep one, or name it {series}{suffixes}",
                folder=folder,
                series=series,
                names=names,
                suffixes=SUFFIXES[0],
            )
        )
    return best[0]


def _rank(named: Named) -> tuple[bool, bool]:
    return not named.exact, not named.anchor


def _nothing_fits(folder: Path, series: Series, files: list[Named]) -> str:
    keys = list(dict.fromkeys(str(n.readings[0]) for n in files))
    held = ", ".join(keys[:12]) + (" …" if len(keys) > 12 else "")
    names = f"{series}.csv (.csv.gz .parquet .feather .zip)"
    return _(
        "{folder} has no file for {series}; found {held}; name the file {names}",
        folder=folder,
        series=series,
        held=held or _("no candle files"),
        names=names,
    )
