"""The instruments of the exchange, in the terms of OKX's /api/v5/public/instruments."""

from dataclasses import dataclass, replace

from kronosforge.core.bars import instant

# Contract values of the real swaps: https://www.okx.com/trade-market/info/swap, seen in recorded answers.
_CONTRACTS = {"BTC-USDT": "0.01", "ETH-USDT": "0.1", "BTC-USD": "100", "ETH-USD": "10"}


@dataclass(frozen=True)
class Instrument:
    """One instrument: its contract, its smallest price step and the instant of its first candle."""

    id: str
    ct_type: str  # "" (spot), linear or inverse
    ct_val: str  # "" for spot; coins per contract (linear) or quote currency per contract (inverse)
    tick_decimals: int  # a price is a whole number of 10^-tick_decimals
    listing: int  # ms; no bar opens earlier

    @property
    def base(self) -> str:
        return self.id.split("-")[0]

    @property
    def quote(self) -> str:
        return self.id.split("-")[1]

    @property
    def underlying(self) -> str:
        return f"{self.base}-{self.quote}"

    @property
    def kind(self) -> str:
        """OKX's instType."""
        return "SWAP" if self.ct_type else "SPOT"

    @property
    def decimals(self) -> tuple[int, ...]:
        """Decimal places of o, h, l, c, vol, volCcy, volCcyQuote: the units in which candles are whole numbers."""
        prices = (self.tick_decimals,) * 4
        if self.ct_type == "inverse":
            return (*prices, 0, 8, 0)
        if self.ct_type == "linear":
            coins = 2 + len(self.ct_val.partition(".")[2])  # lots are hundredths of a contract
            return (*prices, 2, coins, coins + self.tick_decimals)
        return (*prices, 5, 5 + self.tick_decimals, 5 + self.tick_decimals)

    def listed_from(self, listing: int) -> "Instrument":
        """The same instrument with its first candle at `listing`."""
        return replace(self, listing=listing)

    def row(self) -> dict[str, str]:
        """The instrument as a row of OKX's response; fields that do not apply are ""."""
        swap = self.kind == "SWAP"
        inverse = self.ct_type == "inverse"
        return {
            "instType": self.kind,
            "instId": self.id,
            "uly": self.underlying if swap else "",
            "instFamily": self.underlying if swap else "",
            "category": "1",
            "baseCcy": "" if swap else self.base,
            "quoteCcy": "" if swap else self.quote,
            "settleCcy": (self.base if inverse else self.quote) if swap else "",
            "ctVal": self.ct_val,
            "ctMult": "1" if swap else "",
            "ctValCcy": (self.quote if inverse else self.base) if swap else "",
            "ctType": self.ct_type,
            "optType": "",
            "stk": "",
            "listTime": str(self.listing),
            "expTime": "",
            "lever": "100" if swap else "10",
            "tickSz": f"{10**-self.tick_decimals:.{self.tick_decimals}f}",
            "lotSz": ("1" if inverse else "0.01") if swap else "0.00001",
            "minSz": ("1" if inverse else "0.01") if swap else "0.00001",
            "alias": "",
            "state": "live",
            "ruleType": "normal",
            "maxLmtSz": "100000000",
            "maxMktSz": "85000",
            "maxTwapSz": "100000000",
            "maxIcebergSz": "100000000",
            "maxTriggerSz": "100000000",
            "maxStopSz": "85000",
        }


def instrument(name: str, *, listing: int, ct_val: str = "", tick_decimals: int = 1) -> Instrument:
    """The instrument of an OKX id such as BTC-USDT, BTC-USDT-SWAP (linear) or BTC-USD-SWAP (inverse)."""
    if not name.endswith("-SWAP"):
        return Instrument(name, "", "", tick_decimals, listing)
    family = name.removesuffix("-SWAP")
    ct_type = "inverse" if family.endswith("-USD") else "linear"
    return Instrument(name, ct_type, ct_val or _CONTRACTS.get(family, "1"), tick_decimals, listing)


# The first candles are early enough for 3,000 finished days on 2026-01-01.
DEFAULT = tuple(
    instrument(name, listing=instant(day), tick_decimals=tick)
    for name, day, tick in (
        ("BTC-USD-SWAP", "2017-01-02T08:00Z", 1),
        ("BTC-USDT-SWAP", "2017-03-01T00:00Z", 1),
        ("ETH-USDT-SWAP", "2017-05-15T12:00Z", 2),
        ("BTC-USDT", "2017-01-01T00:00Z", 1),
    )
)
