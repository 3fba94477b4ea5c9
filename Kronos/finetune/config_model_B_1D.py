"""Model B: the long view, UTC days, four months seen, fifteen days ahead, more history."""

from kronosforge.config import DatasetConfig, ModelConfig

config = ModelConfig(
    model_name="Model_B_1D",
    description="1D, 120 + 15 bars: the long view",
    timeframe="1D",
    target_symbols=["BTC-USD-SWAP_1D", "BTC-USDT-SWAP_1D", "ETH-USDT-SWAP_1D"],
    records_per_timeframe=3000,
    dataset=DatasetConfig(lookback=120, predict=15),
)
