"""The finished dataset: pickles for upstream's trainer, arrays for ours. Reading pickles is in `unpickle`, checks in `verify`."""

from kronosforge.dataset.handover import DATASET_FILES, PICKLES, SCHEMA, hand_over
from kronosforge.dataset.writer import DatasetWriter, Written

__all__ = ["DATASET_FILES", "PICKLES", "SCHEMA", "DatasetWriter", "Written", "hand_over"]
