"""The memory-mapped form: a header of fixed length, and refusal of incomplete files."""

import json

import numpy as np
import pytest

from kronosforge.core.errors import DataError
from kronosforge.dataset.native import header, open_split


@pytest.mark.parametrize("shape", [(0, 6), (5, 6), (10**12, 6), (0,), (10**15,)])
def test_the_header_is_as_long_for_any_number_of_rows(shape):
    assert len(header("<f4", shape)) == 128


def test_the_arrays_are_plain_npy_files_and_mapped_read_only(prepared):
    arrays = open_split(prepared.folder, "train")
    plain = np.load(prepared.folder / "native/train/candles.npy", allow_pickle=False)
    assert np.array_equal(arrays.candles, plain)
    assert isinstance(arrays.candles, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        arrays.candles[0, 0] = 1


@pytest.mark.parametrize("name", ["index.json", "val/candles.npy", "val/time.npy"])
def test_a_missing_or_broken_file_is_named(prepared, name):
    file = prepared.folder / "native" / name
    file.write_bytes(file.read_bytes()[:7])
    with pytest.raises(DataError, match=f"{file.name} is missing or broken"):
        open_split(prepared.folder, "val")
    file.unlink()
    with pytest.raises(DataError, match="missing or broken"):
        open_split(prepared.folder, "val")


def test_rows_and_index_must_agree(prepared):
    index = prepared.folder / "native" / "index.json"
    segments = json.loads(index.read_text())
    segments["val"][-1][2] += 1
    index.write_text(json.dumps(segments))
    with pytest.raises(DataError, match="rows"):
        open_split(prepared.folder, "val")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"val": 3}',
        b'{"val": [["K", 0]]}',
        b'{"val": [["K", "0", 9]]}',
        b'{"val": [["K", 5, 9]]}',
        b"\xff",
    ],
)
def test_an_index_of_another_shape_is_refused_in_one_line(prepared, content):
    (prepared.folder / "native" / "index.json").write_bytes(content)
    with pytest.raises(DataError, match=r"index\.json is missing or broken \(.*\); prepare") as error:
        open_split(prepared.folder, "val")
    assert "\n" not in str(error.value)
