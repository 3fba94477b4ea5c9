"""Peak memory of the running process."""

import resource
import sys
from pathlib import Path


def peak_mb() -> float:
    """Peak resident memory, MB. Linux counts a parent's into ru_maxrss across a fork, so /proc is asked there."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
