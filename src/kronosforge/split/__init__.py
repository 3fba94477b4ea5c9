"""Which bars train, which validate, which test, and the windows that fit into each."""

from kronosforge.split.cuts import ALWAYS, SPLITS, Cuts, Timeline, Times, cut, cuts, fold_cuts
from kronosforge.split.windows import (
    Windows,
    check_folds,
    check_windows,
    count,
    expected_windows,
    records_needed,
    starts,
    total,
)

__all__ = [
    "ALWAYS", "SPLITS", "Cuts", "Timeline", "Times", "Windows", "check_folds", "check_windows", "count", "cut", "cuts",
    "expected_windows", "fold_cuts", "records_needed", "starts", "total",
]  # fmt: skip
