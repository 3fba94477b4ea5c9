"""The peer of bench_prepare.py: the loop that everybody writes. Reads Parquet, masks 70/15/15, pickles; checks nothing.

python benchmarks/peer_pandas.py FOLDER_OF_PARQUET OUTPUT_FOLDER     prints [seconds, CPU seconds, peak MB]
"""

import pickle
import sys
from pathlib import Path

import pandas as pd
from peak import took


def run(source: Path, target: Path) -> None:
    target.mkdir()
    splits: dict[str, dict[str, pd.DataFrame]] = {"train": {}, "val": {}, "test": {}}
    for path in sorted(source.glob("*.parquet")):
        frame = pd.read_parquet(path)
        first, second = frame.index[int(len(frame) * 0.70)], frame.index[int(len(frame) * 0.85)]
        splits["train"][path.stem] = frame[frame.index < first]
        splits["val"][path.stem] = frame[(frame.index >= first) & (frame.index < second)]
        splits["test"][path.stem] = frame[frame.index >= second]
    for split, frames in splits.items():
        with (target / f"{split}_data.pkl").open("wb") as file:
            pickle.dump(frames, file)


if __name__ == "__main__":
    print(took(lambda: run(Path(sys.argv[1]), Path(sys.argv[2]))))
