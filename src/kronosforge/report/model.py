"""What the stages left of one model, read as it stands: what is absent is empty, what is damaged is named."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from kronosforge.core.digests import sha256
from kronosforge.core.evaluation_record import E, EvaluationRecord, WalkRecord, parsed_evaluation, with_current_names
from kronosforge.core.i18n import Message
from kronosforge.core.names import HEADLINES, TUNED
from kronosforge.core.records import reason
from kronosforge.report.figures import finite
from kronosforge.workspace.paths import (
    BEST,
    EVALUATION,
    LAST,
    MANIFEST,
    METRICS,
    TOKENIZER,
    TRAINING,
    ModelFolders,
    datasets_folder,
    model_folder,
    models_folder,
)

WEIGHTS = ("config.json", "model.safetensors")

Json = Mapping[str, Any]


def dig(value: Any, *keys: str) -> Any:
    """What lies in `value` under one key after the other; None where something on the way is absent."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


class Run(NamedTuple):
    """One stage's training."""

    steps: list[Json]  # metrics.jsonl's lines, one a step
    epochs: list[Json]  # one an epoch, 0 first
    facts: Json  # settings, and the fingerprint of the dataset
    finished: bool
    digests: dict[str, str]  # of best_model's files

    @property
    def best(self) -> int:
        """The best epoch; 0 where none was better than the start."""
        return max((int(e["epoch"]) for e in self.epochs if e.get("best")), default=0)

    def score(self, key: str, epoch: int) -> Any:
        """What validation said after `epoch`, None where it said nothing."""
        return next((dig(line, "val", key) for line in self.epochs if line["epoch"] == epoch), None)


class Model(NamedTuple):
    """A model as the page sees it."""

    name: str
    dataset: Path  # folder
    summary: Json  # data_summary.json
    runs: dict[str, Run]  # stage → run, those that there are
    evaluation: Json  # evaluation.json, where it is of these very weights and data
    outdated: bool  # there is an evaluation of others
    walk: Json  # folds/evaluation.json
    damaged: dict[Path, Message]  # the files that could not be read, as if absent in what is above, and why

    @property
    def trained(self) -> bool:
        """Whether there is a predictor trained to the end."""
        return "predictor" in self.runs and self.runs["predictor"].finished

    @property
    def title(self) -> str:
        """The name that people gave it."""
        return str(self.summary.get("model_name") or self.name)


def read_model(root: Path, name: str, dataset: Path | None = None) -> Model:
    """The model `name` of the workspace `root`; `dataset` is where its dataset lies if not at the usual place."""
    folder, dataset = model_folder(root, name), dataset or datasets_folder(root) / name
    damaged: dict[Path, Message] = {}
    summary = _object(dataset / MANIFEST, damaged)
    evaluation = _evaluation(folder / EVALUATION, EvaluationRecord, damaged)
    runs = {stage: run for stage in HEADLINES if (run := _run(folder / stage, damaged))}
    outdated = bool(evaluation) and not _is_of(evaluation, _pair(folder, runs), summary)
    walk = _evaluation(ModelFolders(dataset, folder).folds / EVALUATION, WalkRecord, damaged)
    return Model(name, dataset, summary, runs, {} if outdated else evaluation, outdated, walk, damaged)


def models_of(root: Path) -> list[str]:
    """The workspace's models, trained or only prepared."""
    places = (models_folder(root), datasets_folder(root))
    return sorted({f.name for p in places if p.is_dir() for f in p.iterdir() if f.is_dir() and f.name[0] != "."})


def _object(path: Path, damaged: dict[Path, Message]) -> Json:
    """The JSON object in the file at `path`, {} where there is none; a file that holds anything else joins `damaged`."""
    try:
        if content := parsed(path.read_text("utf-8")):
            return content
        damaged[path] = Message("it holds no JSON object")
    except FileNotFoundError:
        pass
    except (OSError, ValueError, RecursionError) as problem:
        damaged[path] = reason(problem)
    return {}


def _evaluation(path: Path, kind: type[E], damaged: dict[Path, Message]) -> Json:
    """The evaluation at `path`, {} where there is none; it joins `damaged` where it is not of this `kind`."""
    try:
        text = path.read_text("utf-8")
        parsed_evaluation(text, kind)
        return with_current_names(parsed(text))  # type: ignore[no-any-return]
    except FileNotFoundError:
        pass
    except (OSError, ValueError, RecursionError) as problem:
        damaged[path] = reason(problem)
    return {}


def parsed(content: str) -> Json:
    """The JSON object `content`, {} where it is another value; null and NaN are as if absent. Raises ValueError."""
    value = json.loads(content, object_hook=_without_null, parse_constant=lambda _: None)
    return value if isinstance(value, dict) else {}


def _without_null(content: dict[str, Any]) -> Json:
    return {key: value for key, value in content.items() if value is not None}


def _run(folder: Path, damaged: dict[Path, Message]) -> Run | None:
    lines = list(_lines(folder / METRICS))
    if not lines:
        return None
    state = _object(folder / LAST / TRAINING, damaged)
    best = folder / BEST
    return Run(
        [line for line in lines if line.get("kind") == "step" and finite(line.get("step"))],
        [line for line in lines if line.get("kind") == "epoch" and finite(line.get("epoch"))],
        dig(state, "facts") or {},
        bool(dig(state, "progress", "finished")),
        _digests(best),
    )


def _pair(folder: Path, runs: Mapping[str, Run]) -> dict[str, dict[str, str]]:
    """Stage → digests of the checkpoint that is evaluated: a published predictor has its own tokenizer."""
    tokenizer = _digests(folder / "predictor" / BEST / TOKENIZER)
    return {stage: run.digests for stage, run in runs.items()} | ({"tokenizer": tokenizer} if tokenizer else {})


def _digests(checkpoint: Path) -> dict[str, str]:
    return {name: sha256(checkpoint / name) for name in WEIGHTS if (checkpoint / name).is_file()}


def _lines(path: Path) -> Iterator[Json]:
    """The whole lines; the last one of a killed run is none."""
    if not path.is_file():
        return
    for line in path.read_text("utf-8", errors="replace").splitlines():
        with suppress(ValueError):
            yield parsed(line)


def _is_of(evaluation: Json, pair: Mapping[str, dict[str, str]], summary: Json) -> bool:
    """Whether what was judged is what stands here: the same weights, the same dataset."""
    given = dig(evaluation, "provenance")
    judged = dig(given, "models", TUNED)
    same = judged is None or all(dig(judged, stage, "sha256") == digests for stage, digests in pair.items() if digests)
    return same and summary.get("fingerprint") in (None, dig(given, "dataset"))
