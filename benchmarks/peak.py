"""What the running process took: time on the clock, time on the processors, peak memory."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path


def peak_mb() -> float:
    """Peak resident memory, MB. Linux counts a parent's into ru_maxrss across a fork, so /proc is asked there."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def resident_mb() -> tuple[float, float]:
    """Resident memory now, MB: anonymous, which is the process's own, and file-mapped, which the kernel may drop. Linux."""
    lines = (line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    kb = {parts[0]: int(parts[1]) for parts in lines}
    return kb["Anonymous:"] / 1024, (kb["Rss:"] - kb["Anonymous:"]) / 1024


def took(work: Callable[[], None]) -> str:
    """Do the work; its [seconds, CPU seconds, peak MB] as JSON."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return json.dumps([time.perf_counter() - start, time.process_time() - cpu, peak_mb()])
