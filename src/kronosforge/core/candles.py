"""The candle contract: one polars schema for every frame that passes between stages."""

import polars as pl

PRICES = ["open", "high", "low", "close"]
FEATURES = [*PRICES, "vol", "amt"]  # Kronos' order
OPEN, HIGH, LOW, CLOSE, VOL, AMT = range(len(FEATURES))  # their columns in an array

# exchange: as the venue sent it; derived: turnover computed as vol × mean(o, h, l, c); filled: a flat bar in a gap.
PROVENANCES = ["exchange", "derived", "filled"]

SCHEMA = pl.Schema(
    {
        "ts": pl.Int64(),  # open time, ms since the epoch, UTC
        "open": pl.Float64(),
        "high": pl.Float64(),
        "low": pl.Float64(),
        "close": pl.Float64(),
        "vol": pl.Float64(),  # base asset (coins, shares)
        "amt": pl.Float64(),  # turnover in quote currency
        "provenance": pl.Enum(PROVENANCES),
    }
)


def empty() -> pl.DataFrame:
    """A frame of no candles."""
    return pl.DataFrame(schema=SCHEMA)


def derived_turnover() -> pl.Expr:
    """vol × mean(open, high, low, close): what Kronos' own preprocessing puts where a venue gives no turnover.

    Source: shiyu-coder/Kronos, model/kronos.py, `KronosPredictor.predict` (67b630e).
    """
    return (pl.col("vol") * pl.mean_horizontal(PRICES)).alias("amt")
