"""Model A: medium frequency, 4-hour bars, 15 days seen, 40 hours ahead."""

from kronosforge.config import DatasetConfig, ModelConfig

config = ModelConfig(
    model_name="Model_A_4H",
    description="4H, 90 + 10 bars: medium frequency",
    timeframe="4H",
    target_symbols=["BTC-USD-SWAP_4H", "BTC-USDT-SWAP_4H", "ETH-USDT-SWAP_4H"],
    records_per_timeframe=2000,
    dataset=DatasetConfig(lookback=90, predict=10),
)
