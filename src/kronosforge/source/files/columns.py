"""Identify the columns of a file: the spellings of OKX, Binance, Bybit, Kronos, CryptoDataDownload, Yahoo, A-share tools.

A column on none of the lists below is refused: it might be the intended volume.
"""

import re
from typing import NamedTuple

import polars as pl

from kronosforge.core.candles import PRICES
from kronosforge.core.errors import SourceError
from kronosforge.core.i18n import Message
from kronosforge.source.files.formats import Table, shown

# Spellings are compared without case, blanks and punctuation: `Open time`, `open_time` and `openTime` are one.
_SPELLINGS = {
    "ts": "ts tsms timestamp timestamps time date datetime opentime starttime unix unixtimestamp 时间 日期",
    "open": "open o openprice 开盘 开盘价",
    "high": "high h highprice 最高 最高价",
    "low": "low l lowprice 最低 最低价",
    "close": "close c closeprice 收盘 收盘价",
    "vol": "vol volume v basevolume baseassetvolume 成交量",
    "amt": "amt amount turnover quotevolume quoteassetvolume 成交额",
    "confirm": "confirm confirmed isclosed",
    # Known and not needed. The datetime_<place> columns repeat the time in readable form.
    "ignored": "closetime numberoftrades tradecount trades count takerbuybaseassetvolume takerbuyquoteassetvolume "
    "takerbuybasevolume takerbuyquotevolume ignore vwap adjclose dividends stocksplits capitalgains "
    "datetimeutc datetimeshanghai",
    # Must hold one value: a second would be a second series in the same file.
    "constant": "symbol ticker instid pair exchange interval timeframe bar 股票代码",
}
FIELDS = {field: spellings.split() for field, spellings in _SPELLINGS.items()}
IGNORED, CONSTANT = set(FIELDS.pop("ignored")), set(FIELDS.pop("constant"))
_OKX = ("volccy", "volccyquote")
_OF_ASSET = re.compile(r"volume([a-z0-9]{2,10})")


class Plan(NamedTuple):
    """The columns to read, by the file's own names."""

    times: list[str]  # each must name the same instant
    columns: dict[str, str]  # field → column; the prices and vol always, amt and confirm where the file has them


def plan(table: Table, instrument: str) -> Plan:
    """Find the columns of `table`. Raises SourceError for one that is unknown, ambiguous or missing."""
    spelled = _spelled(table)
    # A column without a name is the row number that pandas writes.
    taken = {word: column for word, column in spelled.items() if word not in IGNORED | CONSTANT | {""}}
    volumes = _okx(table, taken, instrument) or _of_assets(table, taken, instrument)
    fields = {word: field for field, spellings in FIELDS.items() for word in spellings}
    columns_of: dict[str, list[str]] = {field: [] for field in FIELDS} | {f: [c] for f, c in volumes.items()}
    for word, column in taken.items():
        field = fields.get(word)
        if field is None and column not in volumes.values() and word not in _OKX:
            raise _unknown(table, column)
        if field is not None and not (volumes and field in ("vol", "amt")):
            columns_of[field].append(column)
    _one_series(table, spelled)
    _check(table, columns_of)
    return Plan(columns_of.pop("ts"), {field: columns[0] for field, columns in columns_of.items() if columns})


def _spelled(table: Table) -> dict[str, str]:
    spelled: dict[str, str] = {}
    for column in table.frame.columns:
        word = re.sub(r"[\W_]", "", column).lower() or column
        if word in spelled:
            raise _ambiguous(table, [spelled[word], column])
        spelled[word] = column
    return spelled


def _okx(table: Table, taken: dict[str, str], instrument: str) -> dict[str, str]:
    """OKX: `vol` is coins for spot, contracts for derivatives, whose coins are `volCcy`; turnover is `volCcyQuote`.

    Spot ids have two parts, derivatives three and more. Source: OKX API v5, "Get candlesticks", fields of the response.
    """
    ccy, quote = (taken.get(word) for word in _OKX)
    if ccy is None and quote is None:
        return {}
    parts = instrument.count("-") + 1
    vol = next((taken[word] for word in FIELDS["vol"] if word in taken), None) if parts == 2 else ccy
    # Of spot, `volCcy` is the turnover too; files from before `volCcyQuote` have only that.
    amt = quote or (ccy if parts == 2 else None)
    if parts == 1 or vol is None:
        raise table.refuse(
            None,
            Message(
                "cannot tell which column is the volume in coins of {instrument!r}; name the file like BTC-USDT_… (spot) or BTC-USDT-SWAP_…, and keep vol, volCcy, volCcyQuote",
                instrument=instrument,
            ),
        )
    return {"vol": vol} | ({"amt": amt} if amt else {})


def _of_assets(table: Table, taken: dict[str, str], instrument: str) -> dict[str, str]:
    """CryptoDataDownload: `volume_btc` beside `volume` (turnover, before 2020) or `Volume BTC` beside `Volume USD`."""
    columns = {m[1]: column for word, column in taken.items() if (m := _OF_ASSET.fullmatch(word))}
    pair = re.sub(r"[\W_]", "", instrument).lower()
    base = [asset for asset in columns if pair.startswith(asset)]
    quote = [asset for asset in columns if asset not in base and pair.endswith(asset)]
    if not columns:
        return {}
    rest = [taken[word] for word in FIELDS["vol"] if word in taken]
    if len(base) != 1 or len(columns) != 1 + len(quote) or len(quote) + len(rest) > 1:
        raise _ambiguous(table, [*columns.values(), *rest])
    amt = [columns[asset] for asset in quote] + rest
    return {"vol": columns[base[0]]} | ({"amt": amt[0]} if amt else {})


def _one_series(table: Table, spelled: dict[str, str]) -> None:
    for column in (column for word, column in spelled.items() if word in CONSTANT):
        values = table.frame[column].cast(pl.String)
        other = (values.ne_missing(values[0])).arg_true()
        if len(other):
            raise table.refuse(
                other[0],
                Message(
                    "{column} changes from {first} to {value}; write one file per series",
                    column=column,
                    value=shown(values[other[0]]),
                    first=shown(values[0]),
                ),
            )


def _check(table: Table, columns_of: dict[str, list[str]]) -> None:
    for field, columns in columns_of.items():
        if len(columns) > 1 and field != "ts":
            raise _ambiguous(table, columns)
    missing = [field for field in ("ts", *PRICES, "vol") if not columns_of[field]]
    if missing:
        wanted = "; ".join(f"{field}: {' '.join(FIELDS[field])}" for field in missing)
        raise table.refuse(
            None,
            Message(
                "no column for {missing} among {columns}; use one of these names: {wanted}",
                missing=", ".join(missing),
                columns=shown(table.frame.columns),
                wanted=wanted,
            ),
        )


def _unknown(table: Table, column: str) -> SourceError:
    return table.refuse(
        None,
        Message("unknown column {column}; rename it to what it holds (vol, amt, …) or remove it", column=shown(column)),
    )


def _ambiguous(table: Table, columns: list[str]) -> SourceError:
    return table.refuse(
        None,
        Message(
            "columns {columns} may mean the same thing; keep one and remove or rename the others",
            columns=shown(columns),
        ),
    )
