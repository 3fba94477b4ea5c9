"""Which bars train, which validate, which test, and the windows that fit into each."""

from kronosforge.split.cuts import SPLITS, Cuts, Runs, Times, cut, cuts
from kronosforge.split.windows import check_windows, count, expected, records_needed, starts, total

__all__ = [
    "SPLITS",
    "Cuts",
    "Runs",
    "Times",
    "check_windows",
    "count",
    "cut",
    "cuts",
    "expected",
    "records_needed",
    "starts",
    "total",
]
