"""Which networks are judged: the fine-tuned pair, and the pair that its training started from."""

import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from kronosforge.config import TrainConfig
from kronosforge.core.digests import sha256
from kronosforge.core.errors import ModelError
from kronosforge.core.i18n import _
from kronosforge.core.records import Record, read_record, reason
from kronosforge.forecast.tuned import refuse_other_tokenizer, training_record, tuned_pair
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.model.checkpoint import CONFIG, WEIGHTS, Checkpoint, locate
from kronosforge.model.presets import refuse_other_publication
from kronosforge.workspace.paths import CURRENT
from kronosforge.workspace.training_record import last_record

PUBLISHER = "NeoQuasar/"
STAGES: dict[str, type[Checkpoint]] = {"tokenizer": KronosTokenizer, "predictor": KronosPredictor}


class Pair(NamedTuple):
    """A tokenizer and a predictor that belong together, not loaded yet."""

    facts: dict[str, Any]  # as JSON: where each comes from, and what it is
    folders: dict[str, Path] | None  # None: untrained, to be made from the seed

    def load(self) -> tuple[KronosTokenizer, KronosPredictor]:
        """Both networks, in eval mode. Raises ModelError."""
        if self.folders is None:
            return untrained(self.facts["size"], self.facts["seed"])
        tokenizer = KronosTokenizer.from_pretrained(self.folders["tokenizer"])
        return tokenizer, KronosPredictor.from_pretrained(self.folders["predictor"])


class CurrentRecord(Record):
    """CURRENT: the pair that the last evaluation chose."""

    model: Literal["fine-tuned", "pretrained"]


class Trained(NamedTuple):
    """What a training says of itself."""

    rules: TrainConfig
    dataset: str  # fingerprint
    finished: bool = True


def begun(models: Path) -> Trained | None:
    """How the model whose folder is `models` was trained, or is being trained; None where nothing has begun.

    Raises ModelError for a record that is broken.
    """
    record = training_record(models)
    if record is None:
        return None
    settings = {key: record.facts[key] for key in TrainConfig.model_fields if key in record.facts}
    try:
        return Trained(TrainConfig.model_validate(settings), record.dataset, record.progress.finished)
    except (ValueError, LookupError) as error:
        path = last_record(models / "predictor")
        raise ModelError(
            _(
                "{path} cannot be used: {reason}; make it anew with: kronosforge train --models {name} --force",
                path=path,
                reason=reason(error),
                name=models.name,
            )
        ) from None


def trained(models: Path) -> Trained | None:
    """`begun`, of a training that was finished. Raises ModelError where it was not."""
    training = begun(models)
    if training and not training.finished:
        raise ModelError(
            _(
                "{models} is not trained to the end; kronosforge train --models {name} --resume",
                models=models / "predictor",
                name=models.name,
            )
        )
    return training


def fine_tuned(models: Path, rules: TrainConfig) -> Pair:
    """The pair that training published; with the given tokenizer where it trained none. Raises ModelError."""
    pair = tuned_pair(models)
    predictor = pair.predictor.relative_to(models).as_posix()
    if pair.tokenizer is not None:
        sources = {"tokenizer": pair.tokenizer.relative_to(models).as_posix(), "predictor": predictor}
        return _pair({"tokenizer": pair.tokenizer, "predictor": pair.predictor}, sources)
    given = start(rules)
    assert given.folders is not None  # a predictor from scratch has a tokenizer of its own
    folders = {"tokenizer": given.folders["tokenizer"], "predictor": pair.predictor}
    if pair.record and (ids := pair.record.facts.get("tokenizer_ids")):
        refuse_other_tokenizer(folders["tokenizer"], ids, models)
    return _pair(folders, {"tokenizer": rules.tokenizer, "predictor": predictor})


def start(rules: TrainConfig) -> Pair:
    """What training started from: the given checkpoints, or random weights of the same seed. Raises ModelError."""
    if rules.init == "scratch":
        return Pair({"untrained": True, "size": rules.size, "seed": rules.seed}, None)
    refuse_other_publication(rules.tokenizer, rules.predictor)
    given = {
        "tokenizer": (rules.tokenizer, rules.tokenizer_revision),
        "predictor": (rules.predictor, rules.predictor_revision),
    }
    folders = {
        stage: locate(source, STAGES[stage].ROLE, STAGES[stage].VARIABLE, revision)
        for stage, (source, revision) in given.items()
    }
    return _pair(folders, {stage: source + (f"@{rev}" if rev else "") for stage, (source, rev) in given.items()})


def chosen(models: Path, rules: TrainConfig, which: str | None) -> Pair:
    """The pair to forecast with: `fine-tuned`, `pretrained` or `current`, which is what the last evaluation said to use.

    None takes the first that there is of current, fine-tuned, pretrained. Raises ModelError where there is none.
    """
    current = models / CURRENT
    if which == "current" and not current.exists():
        raise ModelError(
            _(
                "{current} is not there; evaluate first: kronosforge evaluate --config {name}",
                current=current,
                name=models.name,
            )
        )
    if which in (None, "current") and current.exists():
        remedy = f"kronosforge evaluate --config {models.name} --force"
        which = read_record(current, CurrentRecord, ModelError, remedy).model
    done = trained(models)
    if which == "fine-tuned" or (which is None and done):
        return fine_tuned(models, done.rules if done else rules)
    given = start(done.rules if done else rules)
    if given.folders is None:
        raise ModelError(
            _("{name} was trained from scratch and has no pretrained weights; leave --weights out", name=models.name)
            if done
            else _("{name} starts from scratch and is not trained; kronosforge train --models {name}", name=models.name)
        )
    return given


def untrained(size: str, seed: int) -> tuple[KronosTokenizer, KronosPredictor]:
    """Random weights as training makes them: the predictor's are drawn after its tokenizer's."""
    torch.manual_seed(seed)
    preset = PRESETS[size]  # type: ignore[index]
    return KronosTokenizer(preset.tokenizer).eval(), KronosPredictor(preset.predictor).eval()


def maybe_seen(rules: TrainConfig) -> bool:
    """Whether published weights were the start: by their id, or, in a folder, by their shape."""
    if rules.init == "scratch":
        return False
    if rules.predictor.startswith(PUBLISHER):
        return True
    folder = locate(rules.predictor, KronosPredictor.ROLE, KronosPredictor.VARIABLE, rules.predictor_revision)
    arguments = KronosPredictor.arguments_of(folder / CONFIG)
    return any(arguments == preset.predictor for preset in PRESETS.values() if preset.hub)


def _pair(folders: dict[str, Path], sources: dict[str, str]) -> Pair:
    facts = {
        stage: {"source": sources[stage], "sha256": {name: _sha256(folder / name) for name in (CONFIG, WEIGHTS)}}
        for stage, folder in folders.items()
        if _whole(folder)
    }
    return Pair(facts, folders)


def _sha256(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise ModelError(
            _("{path} cannot be read: {reason}", path=path, reason=os.strerror(error.errno or 0))
        ) from None


def _whole(folder: Path) -> bool:
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).exists()]
    if missing:
        raise ModelError(_("{folder} lacks {missing}", folder=folder, missing=", ".join(missing)))
    return True
