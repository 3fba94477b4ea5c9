"""The pickles: values bit for bit, public constructors only, the same bytes everywhere, readable by old and new pandas."""

import hashlib
import json
import os
import pickle
import pickletools
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kronosforge.core.candles import FEATURES
from kronosforge.dataset.pickles import CONSTRUCTORS, PickleWriter
from kronosforge.dataset.unpickle import load

ROOT = Path(__file__).resolve().parent.parent.parent
OLD_PANDAS = ROOT / ".venv-pandas2" / "bin" / "python"  # pandas 2.2.2, numpy 1.26: what upstream pins

# Reads as upstream's finetune/dataset.py does, and says what it saw.
READ = """
import hashlib, json, pickle, sys, warnings
warnings.simplefilter("error")
import numpy, pandas
frames = pickle.load(open(sys.argv[1], "rb"))
for frame in frames.values():
    minutes = frame.reset_index()["datetime"].dt.minute
    frame.iloc[0, 0] += 0.0
print(json.dumps({
    "versions": [pandas.__version__, numpy.__version__],
    "frames": {key: [
        list(frame.columns), [str(d) for d in frame.dtypes], frame.index.name, str(frame.index.dtype), len(frame),
        hashlib.sha256(frame.index.asi8.tobytes() + frame.to_numpy().tobytes("C")).hexdigest(),
    ] for key, frame in frames.items()},
}))
"""


@pytest.fixture
def path(tmp_path, candles, columns):
    """A pickle of two frames."""
    file = tmp_path / "train_data.pkl"
    with file.open("wb") as out:
        writer = PickleWriter(out)
        for key, bars in (("BTC-USD-SWAP_4H", 30), ("BTC-USD-SWAP_4H#2", 1)):
            frame = candles("BTC-USD-SWAP_4H", [bars])
            writer.add(key, frame["ts"].to_numpy(), columns(frame))
        writer.finish()
    return file


def test_pandas_of_today_reads_the_values_bit_for_bit(path, candles):
    frames = load(path)
    assert list(frames) == ["BTC-USD-SWAP_4H", "BTC-USD-SWAP_4H#2"]
    frame, ours = frames["BTC-USD-SWAP_4H"], candles("BTC-USD-SWAP_4H", [30])
    assert frame.to_numpy().tobytes() == ours.select(FEATURES).to_numpy().tobytes("C")
    assert list(frame.columns) == FEATURES
    assert set(frame.dtypes) == {np.dtype("float64")}
    assert frame.index.name == "datetime"
    assert frame.index.dtype == "datetime64[ns]"
    assert frame.index[0] == pd.Timestamp("2023-11-09 00:00")
    assert (frame.index.asi8 == ours["ts"].to_numpy() * 1_000_000).all()


def test_the_frames_can_be_written_to(path):
    frame = load(path)["BTC-USD-SWAP_4H"]
    frame.loc[frame.index[3], "vol"] = 7.0
    assert frame["vol"].iloc[3] == 7.0


def test_an_ordinary_unpickler_reads_the_same(path):
    ordinary = pickle.loads(path.read_bytes())
    for key, frame in load(path).items():
        pd.testing.assert_frame_equal(frame, ordinary[key], check_exact=True)


def test_only_public_constructors_are_named_and_protocol_four_suffices(path):
    opcodes = [(opcode, value) for opcode, value, _ in pickletools.genops(path.read_bytes())]
    named = [(opcodes[i - 2][1], opcodes[i - 1][1]) for i, (op, _) in enumerate(opcodes) if op.name == "STACK_GLOBAL"]
    assert named == list(CONSTRUCTORS)
    assert max(opcode.proto for opcode, _ in opcodes) == 4
    assert not {opcode.name for opcode, _ in opcodes} & {"GLOBAL", "INST", "OBJ", "BUILD", "EXT1"}


def test_the_bytes_are_these_on_every_machine_and_python(tmp_path):
    file = tmp_path / "x.pkl"
    with file.open("wb") as out:
        writer = PickleWriter(out)
        writer.add("A_1H", np.array([0, 3_600_000]), [np.array([i, i + 0.5]) for i in range(6)])
        writer.finish()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert digest == "c98f053d664397d28a5101ca5977458845e99680621242f193aa704cd1256043"


def test_no_frames_are_an_empty_dict(tmp_path):
    file = tmp_path / "x.pkl"
    with file.open("wb") as out:
        PickleWriter(out).finish()
    assert load(file) == {}


@pytest.mark.skipif(not OLD_PANDAS.exists() and "CI" not in os.environ, reason="run `make .venv/pandas2` first")
def test_pandas_that_upstream_pins_reads_the_same(path):
    old = subprocess.run([OLD_PANDAS, "-c", READ, path], capture_output=True, text=True, check=True)
    seen = json.loads(old.stdout)
    assert [version.rpartition(".")[0] for version in seen["versions"]] == ["2.2", "1.26"]
    assert seen["frames"] == {
        key: [
            FEATURES,
            ["float64"] * 6,
            "datetime",
            "datetime64[ns]",
            len(frame),
            hashlib.sha256(frame.index.asi8.tobytes() + frame.to_numpy().tobytes("C")).hexdigest(),
        ]
        for key, frame in load(path).items()
    }
