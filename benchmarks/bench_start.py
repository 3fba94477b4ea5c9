"""How fast the command line answers, against `python -c pass` on the same machine, in turns.

python benchmarks/bench_start.py [--json]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = str(ROOT / "prepare_kronos_data_simple.py")
LIMIT = 4.0  # times `python -c pass`, for what only prints
CASES = {
    "--help": [SCRIPT, "--help"],
    "--list-configs": [SCRIPT, "--list-configs"],
    "--dry-run": [SCRIPT, "--config", "model_a_4h", "--dry-run"],
}
ROUNDS = 15


def seconds(arguments: list[str]) -> float:
    """Wall-clock time of one run."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Print the median of each case and its ratio to the bare interpreter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    taken: dict[str, list[float]] = {name: [] for name in ["pass", *CASES]}
    for _ in range(ROUNDS):
        taken["pass"].append(seconds(["-c", "pass"]))
        for name, command in CASES.items():
            taken[name].append(seconds(command))
    peer = statistics.median(taken["pass"])
    rows = [
        {
            "name": f"start {name}",
            "unit": "s",
            "ours": round(ours := statistics.median(taken[name]), 4),
            "peer": round(peer, 4),
            "ratio": round(ours / peer, 2),
            "limit": None if name == "--dry-run" else LIMIT,
        }
        for name in CASES
    ]
    for row in rows:
        print(json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
