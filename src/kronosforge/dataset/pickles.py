"""Write the files that upstream's trainer reads: a pickled dict of key → DataFrame, one frame at a time.

pandas pickles the internals of a frame, which differ between its versions: a frame of pandas 3 cannot be read by pandas
2. So the opcodes are written here, and they call only public functions that every pandas and numpy has:

    DataFrame({"open": frombuffer(bytes, "<f8"), …}, DatetimeIndex(frombuffer(bytes, "<M8[ns]"), name="datetime"))

This needs no pandas, keeps at most one frame in memory, and writes the same bytes under every Python. Opcodes: PEP 3154.
"""

import pickle
from collections.abc import Sequence
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from kronosforge.core.candles import FEATURES

INDEX = "datetime"  # any other name raises KeyError in upstream's finetune/dataset.py
# Public constructors, in the order in which `PickleWriter` puts them into the unpickler's memo.
CONSTRUCTORS = (("pandas", "DataFrame"), ("pandas", "DatetimeIndex"), ("numpy", "frombuffer"))
DTYPES = ("<f8", "<M8[ns]")
Buffer: TypeAlias = bytes | memoryview
_DATA_FRAME, _DATETIME_INDEX, _FROMBUFFER = (pickle.BINGET + bytes([place]) for place in range(3))


class PickleWriter:
    """Writes one pickle into `file`, frame by frame; `finish` ends it and does not close `file`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.write(pickle.PROTO + b"\x04")
        for module, name in CONSTRUCTORS:
            file.write(_text(module) + _text(name) + pickle.STACK_GLOBAL + pickle.MEMOIZE + pickle.POP)
        file.write(pickle.EMPTY_DICT)

    def add(self, key: str, times: npt.NDArray[np.int64], columns: Sequence[npt.NDArray[np.float64]]) -> None:
        """Add the frame `key`: `times` (N,) ms UTC, and the six `columns` (N,) in Kronos' order."""
        parts: list[Buffer] = [_text(key), _DATA_FRAME, pickle.EMPTY_DICT]
        for name, column in zip(FEATURES, columns, strict=True):
            parts += [_text(name), *_array(column.astype("<f8", copy=False), DTYPES[0]), pickle.SETITEM]
        # NEWOBJ_EX takes a class, positional arguments, keyword arguments; `copy` frees the index of our read-only bytes.
        parts += [_DATETIME_INDEX, *_array((times * 1_000_000).astype("<i8", copy=False), DTYPES[1])]
        parts += [pickle.TUPLE1, pickle.EMPTY_DICT, _text("name"), _text(INDEX), pickle.SETITEM]
        parts += [_text("copy"), pickle.NEWTRUE, pickle.SETITEM]
        parts += [pickle.NEWOBJ_EX, pickle.TUPLE2, pickle.REDUCE, pickle.SETITEM]
        self._file.write(b"".join(parts))  # one call: each would wait for the threads that clean

    def finish(self) -> None:
        """End the pickle."""
        self._file.write(pickle.STOP)


def _array(values: npt.NDArray[np.generic], dtype: str) -> list[Buffer]:
    """Push frombuffer(bytes of `values`, dtype)."""
    size = values.nbytes.to_bytes(8, "little")
    data = np.ascontiguousarray(values).data
    return [_FROMBUFFER, pickle.BINBYTES8, size, data, _text(dtype), pickle.TUPLE2, pickle.REDUCE]


def _text(text: str) -> bytes:
    """Push a string of at most 255 bytes; series keys are shorter."""
    data = text.encode()
    return pickle.SHORT_BINUNICODE + len(data).to_bytes(1, "little") + data
