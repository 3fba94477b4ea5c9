"""The finished dataset: pickles for upstream's trainer, arrays for ours. `unpickle` reads pickles, `verify` checks datasets."""

from kronosforge.dataset.handover import hand_over
from kronosforge.dataset.writer import DatasetWriter, Written

__all__ = ["DatasetWriter", "Written", "hand_over"]
