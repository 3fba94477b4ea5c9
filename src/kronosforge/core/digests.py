"""Digests of files and values, and the JSON that files hold."""

import hashlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class HashedFile(io.BufferedWriter):
    """A new file that is written from its start to its end; `sha256` digests what was written so far."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self.sha256 = hashlib.sha256()

    def write(self, data: "ReadableBuffer", /) -> int:
        self.sha256.update(data)
        return super().write(data)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical(value: Any) -> bytes:
    """The one JSON spelling of `value`: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def fingerprint(value: Any) -> str:
    """Hex SHA-256 of `value` in its canonical spelling."""
    return hashlib.sha256(canonical(value)).hexdigest()


def json_bytes(content: Any) -> bytes:
    """`content` as the JSON of a file that people read: indented, UTF-8, no NaN, a line break at the end."""
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
