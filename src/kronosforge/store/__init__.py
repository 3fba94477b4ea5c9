"""The candle store: Parquet files per series, named by the span that they cover."""

from kronosforge.store.store import Stock, Store, Updated

__all__ = ["Stock", "Store", "Updated"]
