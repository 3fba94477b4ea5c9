"""What a forecast was worth, origin by origin, as it is kept on disk and put together from several tests."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self
from zipfile import BadZipFile

import numpy as np

from kronosforge.core.files import write_atomic
from kronosforge.evaluate.metrics import Scores, join
from kronosforge.evaluate.rolling import Origins

_COLUMNS = ("instants", "at", "of", "row", "begin", "end")


class Judged(NamedTuple):
    """What a test gave."""

    origins: Origins
    scores: dict[str, Scores]  # by forecaster

    def only(self, which: Any) -> Self:
        """Some of the origins, with their scores."""
        scores = {
            name: Scores({key: value[which] for key, value in one.values.items()}, one.pit[which])
            for name, one in self.scores.items()
        }
        return self._replace(origins=self.origins.only(which), scores=scores)

    def save(self, path: Path, mark: str) -> None:
        """Write all of it as NumPy's .npz, finished or absent; `mark` is the evaluation's fingerprint."""
        arrays = {name: getattr(self.origins, name) for name in _COLUMNS}
        for name, one in self.scores.items():
            arrays |= {f"{name}/{key}": value for key, value in {**one.values, "pit": one.pit}.items()}
        file = io.BytesIO()
        np.savez(file, mark=mark, series=self.origins.series, names=list(self.scores), **arrays)
        write_atomic(path, file.getvalue())

    @classmethod
    def load(cls, path: Path, mark: str) -> Self | None:
        """What `save` wrote; None where it is absent, broken or has another mark."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = dict(file)
            if str(arrays["mark"]) != mark:
                return None
            origins = Origins(arrays["series"].tolist(), *(arrays[name] for name in _COLUMNS))
            return cls(origins, {name: _scores(arrays, f"{name}/") for name in arrays["names"].tolist()})
        except (OSError, ValueError, LookupError, EOFError, BadZipFile):
            return None

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Several tests as one: every origin of each, and the forecasters that all of them have.

        The rows of the origins still mean the arrays of the test that each comes from.
        """
        every = [part.origins for part in parts]
        names = list(dict.fromkeys(name for one in every for name in one.series))
        instants, at = np.unique(np.concatenate([one.instants[one.at] for one in every]), return_inverse=True)
        of = [np.array([names.index(name) for name in one.series], np.int64)[one.of] for one in every]
        rest = (np.concatenate([getattr(one, name) for one in every]) for name in _COLUMNS[3:])
        origins = Origins(names, instants, at.astype(np.int64), np.concatenate(of), *rest)
        shared = [name for name in parts[0].scores if all(name in part.scores for part in parts)]
        return cls(origins, {name: join([part.scores[name] for part in parts]) for name in shared})


def _scores(arrays: dict[str, Any], head: str) -> Scores:
    values = {key.removeprefix(head): array for key, array in arrays.items() if key.startswith(head)}
    return Scores(values, values.pop("pit"))
