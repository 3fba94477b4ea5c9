"""What is held of every series, and what is missing: Parquet files named by the span that they cover."""

from kronosforge.store.store import Stock, Store, Updated

__all__ = ["Stock", "Store", "Updated"]
