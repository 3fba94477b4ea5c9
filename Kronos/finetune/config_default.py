"""The defaults of every model, spelled out: a new model starts as a copy of this file."""

from kronosforge.config import DatasetConfig, ModelConfig, SplitConfig

config = ModelConfig(
    model_name="Default",
    description="BTC-USDT-SWAP at 4H, 90 + 10 bars",
    timeframe="4H",
    target_symbols=["BTC-USDT-SWAP_4H"],
    records_per_timeframe=2000,
    split=SplitConfig(train=0.70, val=0.15),
    dataset=DatasetConfig(lookback=90, predict=10, clip=5.0),
)
