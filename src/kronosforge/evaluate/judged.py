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
            name: Scores({key: value[which] for key, value in scores.values.items()}, scores.pit[which])
            for name, scores in self.scores.items()
        }
        return self._replace(origins=self.origins.only(which), scores=scores)

    def save(self, path: Path, identity: str) -> None:
        """Write all of it as NumPy's .npz, finished or absent; `identity` is the evaluation's fingerprint."""
        arrays = {name: getattr(self.origins, name) for name in _COLUMNS}
        for name, scores in self.scores.items():
            arrays |= {f"{name}/{key}": value for key, value in {**scores.values, "pit": scores.pit}.items()}
        file = io.BytesIO()
        np.savez(file, mark=identity, series=self.origins.series, names=list(self.scores), **arrays)
        write_atomic(path, file.getvalue())

    @classmethod
    def load(cls, path: Path, identity: str) -> Self | None:
        """What `save` wrote; None where it is absent, broken or is of another evaluation."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = dict(file)
            if str(arrays["mark"]) != identity:
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
        names = list(dict.fromkeys(name for origins in every for name in origins.series))
        instants, at = np.unique(
            np.concatenate([origins.instants[origins.at] for origins in every]), return_inverse=True
        )
        of = [np.array([names.index(name) for name in origins.series], np.int64)[origins.of] for origins in every]
        rest = (np.concatenate([getattr(origins, name) for origins in every]) for name in _COLUMNS[3:])
        joined = Origins(names, instants, at.astype(np.int64), np.concatenate(of), *rest)
        shared = [name for name in parts[0].scores if all(name in part.scores for part in parts)]
        return cls(joined, {name: join([part.scores[name] for part in parts]) for name in shared})


def _scores(arrays: dict[str, Any], head: str) -> Scores:
    values = {key.removeprefix(head): array for key, array in arrays.items() if key.startswith(head)}
    return Scores(values, values.pop("pit"))
