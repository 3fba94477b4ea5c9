"""pandas in: a frame of candles to numbers, or a reason why not."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronosforge.core.bars import iso
from kronosforge.core.candles import FEATURES, PRICES
from kronosforge.core.errors import DataError, UsageError
from kronosforge.core.i18n import tr

TIMES = ["timestamps", "timestamp", "datetime", "date", "time", "ts"]
SPELLINGS = {**{name: [name] for name in PRICES}, "vol": ["vol", "volume"], "amt": ["amt", "amount"]}


class History(NamedTuple):
    """One series' known bars, oldest first."""

    key: str
    values: npt.NDArray[np.float64]  # (L, 6), Kronos' order
    index: pd.DatetimeIndex  # (L,) as the caller writes times, open times
    columns: list[str]  # the caller's names, in Kronos' order

    @property
    def times(self) -> npt.NDArray[np.int64]:
        """Open times (L,), ms UTC."""
        return milliseconds(self.index)


def history(key: str, frame: pd.DataFrame, lookback: int | None) -> History:
    """The newest `lookback` bars of `frame`, or all.

    Times are a DatetimeIndex or a column of TIMES; without a time zone they are UTC. Raises DataError: a column that is
    missing or there twice, a value that is not a finite number, times out of order or twice, too few bars.
    """
    index = _index(key, frame)
    columns = [_column(key, frame, feature) for feature in FEATURES]
    newest = slice(None if lookback is None else -lookback, None)
    found = History(key, _numbers(key, frame[columns])[newest], index[newest], columns)
    _check_order(found)
    needed = lookback or 2  # a single bar has no spread to scale by
    if len(found.values) < needed:
        raise DataError(
            tr(
                f"{key}: {len(found.values)} bars, and {needed} are needed",
                f"{key}:只有 {len(found.values)} 根K线,需要 {needed} 根",
            )
        )
    _check_finite(found)
    return found


def future_times(
    known: History, horizon: int, future: pd.DatetimeIndex | Mapping[str, pd.DatetimeIndex] | None
) -> pd.DatetimeIndex:
    """The open times of the next `horizon` bars: those given, else the known bars' regular step carried on.

    Raises UsageError: what is given is not `horizon` ascending times after the newest bar, or nothing is given and the
    known bars are not evenly spaced.
    """
    if future is None:
        return _carry_on(known, horizon)
    try:
        given = pd.DatetimeIndex(future[known.key] if isinstance(future, Mapping) else future)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            tr(
                f"{known.key}: its times to come cannot be used ({error!r})",
                f"{known.key}:给出的未来时间无法使用({error!r})",
            )
        ) from None
    given = given.tz_localize(known.index.tz) if given.tz is None else given.tz_convert(known.index.tz)
    times = milliseconds(given)
    if len(times) != horizon or (np.diff(times, prepend=known.times[-1]) <= 0).any():
        raise UsageError(
            tr(
                f"{known.key}: give {horizon} ascending times after {iso(known.times[-1])}; found {len(times)}",
                f"{known.key}:请给出 {horizon} 个晚于 {iso(known.times[-1])} 的递增时间;实际 {len(times)} 个",
            )
        )
    return given


def calendar(times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Kronos' five parts of open times (T,), ms UTC: minute, hour, weekday (Monday 0), day, month, as (T, 5)."""
    at = pd.DatetimeIndex(times.view("M8[ms]"))
    return np.stack([at.minute, at.hour, at.day_of_week, at.day, at.month], axis=1).astype(np.int64)


def milliseconds(index: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    """Instants in ms UTC; without a time zone they are UTC."""
    naive = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    return naive.as_unit("ms").asi8


def _carry_on(known: History, horizon: int) -> pd.DatetimeIndex:
    steps = np.unique(np.diff(known.times))
    if len(steps) != 1:
        raise UsageError(
            tr(
                f"{known.key}: its bars are {steps[0] / 60_000:g} to {steps[-1] / 60_000:g} minutes apart, so that the "
                "times to come cannot be told; give them (future=)",
                f"{known.key}:K线间隔从 {steps[0] / 60_000:g} 到 {steps[-1] / 60_000:g} 分钟不等,无法推断未来时间;"
                "请给出(future=)",
            )
        )
    times = known.times[-1] + steps[0] * np.arange(1, horizon + 1)
    ahead = pd.DatetimeIndex(times.view("M8[ms]"), name=known.index.name)
    return ahead if known.index.tz is None else ahead.tz_localize("UTC").tz_convert(known.index.tz)


def _index(key: str, frame: pd.DataFrame) -> pd.DatetimeIndex:
    if isinstance(frame.index, pd.DatetimeIndex):
        return frame.index
    name = _only(key, frame, TIMES, tr("times (or a DatetimeIndex)", "时间列(或 DatetimeIndex)"))
    if pd.api.types.is_numeric_dtype(frame[name]):
        raise DataError(
            tr(
                f"{key}: {name} holds numbers, and nothing says their unit; make them times (pandas.to_datetime)",
                f"{key}:{name} 是数字,单位不明;请转换为时间(pandas.to_datetime)",
            )
        )
    try:
        return pd.DatetimeIndex(frame[name], name=name)
    except (ValueError, TypeError) as error:
        raise DataError(tr(f"{key}: {name} does not hold times ({error})", f"{key}:{name} 不是时间({error})")) from None


def _column(key: str, frame: pd.DataFrame, feature: str) -> str:
    return _only(key, frame, SPELLINGS[feature], " / ".join(SPELLINGS[feature]))


def _only(key: str, frame: pd.DataFrame, names: Sequence[str], wanted: str) -> str:
    """The one column of `frame` that is spelt so: what is missing is not made up, and nothing is chosen silently."""
    found = [name for name in frame.columns if name in names]
    if len(found) != 1:
        raise DataError(
            tr(
                f"{key}: needs one column of {wanted}, and has {found or 'none'}; its columns are {list(frame.columns)}",
                f"{key}:需要且只能有一列 {wanted},实际为 {found or '无'};现有列:{list(frame.columns)}",
            )
        )
    return str(found[0])


def _numbers(key: str, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    try:
        return frame.to_numpy(np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(tr(f"{key}: not all values are numbers ({error})", f"{key}:存在非数字的值({error})")) from None


def _check_order(known: History) -> None:
    wrong = np.flatnonzero(np.diff(known.times) <= 0)
    if known.index.hasnans or len(wrong):
        where = tr("a missing time", "缺少时间") if known.index.hasnans else iso(known.times[wrong[0] + 1])
        raise DataError(
            tr(
                f"{known.key}: times must ascend, each once; found {where} out of place; sort the frame and drop doubles",
                f"{known.key}:时间须递增且不重复;{where} 处不符;请排序并去重",
            )
        )


def _check_finite(known: History) -> None:
    rows, columns = np.nonzero(~np.isfinite(known.values))
    if len(rows):
        at, column = iso(known.times[rows[0]]), known.columns[columns[0]]
        raise DataError(
            tr(
                f"{known.key}: {len(rows)} values are missing or infinite, the first is {column} of {at}; "
                "mend the candles (kronosforge prepare does) or start after them",
                f"{known.key}:{len(rows)} 个值缺失或无穷,首个是 {at} 的 {column};请修复K线(kronosforge prepare 会做)或从其后开始",
            )
        )


def frame(times: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Candles as a frame: open times (L,), ms UTC, as its index, `values` (L, 6) in Kronos' order."""
    return pd.DataFrame(values, instants(times), FEATURES)


def instants(times: npt.NDArray[np.int64]) -> pd.DatetimeIndex:
    """Open times (L,), ms UTC, as an index named `datetime`."""
    return pd.DatetimeIndex(times.astype("M8[ms]"), tz="UTC", name="datetime")
