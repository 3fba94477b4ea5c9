"""The safe reader: calls only three constructors, whatever a file contains."""

import io
import os
import pickle
import warnings
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronosforge.core.errors import DataError
from kronosforge.dataset.pickles import PickleWriter
from kronosforge.dataset.unpickle import load


class Evil:
    """Calls `function(*args)` when it is unpickled."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.fixture(scope="module")
def data():
    """A small pickle of ours."""
    out = io.BytesIO()
    writer = PickleWriter(out)
    writer.add("A_1H", np.arange(2) * 3_600_000, [np.array([1.0, 2.0])] * 6)
    writer.finish()
    return out.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where a test writes a broken pickle."""
    return tmp_path_factory.mktemp("broken") / "train_data.pkl"


def test_a_malicious_pickle_is_refused_and_not_run(tmp_path):
    file, trace = tmp_path / "train_data.pkl", tmp_path / "trace"
    file.write_bytes(pickle.dumps({"A_1H": Evil(os.mkdir, str(trace))}))
    with pytest.raises(DataError, match=r"was not loaded \(found UnpicklingError: posix.mkdir"):
        load(file)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("pandas", "read_pickle"),
        ("pandas", "DataFrame.to_pickle"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("pandas.core.internals.managers", "BlockManager"),
    ],
)
def test_every_other_name_is_refused(tmp_path, module, name):
    file = tmp_path / "x.pkl"
    text = b"".join(pickle.SHORT_BINUNICODE + bytes([len(t)]) + t.encode() for t in (module, name))
    file.write_bytes(pickle.PROTO + b"\x04" + text + pickle.STACK_GLOBAL + pickle.STOP)
    with pytest.raises(DataError, match=name):
        load(file)


@pytest.mark.parametrize("name", ["DataFrame", "DatetimeIndex"])
def test_a_file_cannot_reach_the_constructors_themselves(tmp_path, name):
    file = tmp_path / "x.pkl"
    call = pickle.GLOBAL + f"pandas\n{name}\n".encode()
    slots = pickle.NONE + pickle.EMPTY_DICT + pickle.UNICODE + b"planted\n" + pickle.NEWTRUE + pickle.SETITEM
    file.write_bytes(pickle.PROTO + b"\x04" + call + slots + pickle.TUPLE2 + pickle.BUILD + pickle.STOP)
    with pytest.raises(DataError):
        load(file)
    assert not hasattr(getattr(pd, name), "planted")


def test_a_file_cut_short_anywhere_is_refused(data, place):
    for length in range(len(data)):
        place.write_bytes(data[:length])
        with pytest.raises(DataError, match="not a complete dataset pickle"):
            load(place)


@given(at=st.integers(0), value=st.integers(0, 255))
def test_a_changed_byte_gives_frames_or_a_refusal_and_nothing_else(data, place, at, value):
    place.write_bytes(data[: at % len(data)] + bytes([value]) + data[at % len(data) + 1 :])
    with warnings.catch_warnings(action="ignore"), suppress(DataError):
        assert isinstance(load(place), dict)


@pytest.mark.parametrize("content", [[1], "text", {1: "key"}, None])
def test_anything_but_a_dict_of_frames_is_refused(tmp_path, content):
    file = tmp_path / "x.pkl"
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match="not a complete dataset pickle"):
        load(file)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="is missing; prepare"):
        load(tmp_path / "val_data.pkl")


def test_frames_can_be_looked_at_one_by_one(data, place):
    place.write_bytes(data)
    assert load(place, lambda columns, index: (list(columns)[-1], len(index))) == {"A_1H": ("amt", 2)}
