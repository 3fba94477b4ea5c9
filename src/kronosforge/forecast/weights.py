"""Which networks of a model are used: the fine-tuned pair, the start checkpoint, or the one that an evaluation chose.

Training publishes a predictor and the tokenizer whose ids it learned in predictor/best_model; an evaluation compares that
pair with the one that training started from, and CURRENT names the better one.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, cast

import torch
from pydantic import BeforeValidator

from kronosforge.config import TrainConfig
from kronosforge.core.console import print_notice
from kronosforge.core.digests import json_bytes, sha256
from kronosforge.core.errors import ModelError, UsageError
from kronosforge.core.evaluation_record import EvaluationRecord, PairRecord, evaluate_command, read_evaluation
from kronosforge.core.files import write_atomic
from kronosforge.core.i18n import _
from kronosforge.core.names import CURRENT, TUNED, model_name
from kronosforge.core.records import Record, read_record, reason
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.model.checkpoint import CONFIG, WEIGHTS, Checkpoint, digest, locate
from kronosforge.model.presets import refuse_other_publication
from kronosforge.workspace.paths import BEST, EVALUATION, TOKENIZER, model_folder, workspace_root
from kronosforge.workspace.paths import CURRENT as CURRENT_FILE
from kronosforge.workspace.training_record import (
    TrainingRecord,
    last_record,
    published_record,
    read_training,
    refuse_other_files,
)

PUBLISHER = "NeoQuasar/"
STAGES: dict[str, type[Checkpoint]] = {"tokenizer": KronosTokenizer, "predictor": KronosPredictor}

Weights: TypeAlias = Literal["current", "fine-tuned", "start"]


class TunedPair(NamedTuple):
    """Two published checkpoints that belong together, and how the predictor was trained."""

    tokenizer: Path | None  # None: training used the one that the settings name
    predictor: Path
    record: TrainingRecord | None  # None: trained by something else


class Pair(NamedTuple):
    """A tokenizer and a predictor that belong together, not loaded yet."""

    facts: dict[str, Any]  # as JSON: where each comes from, and what it is
    folders: dict[str, Path] | None  # None: untrained, to be made from the seed
    clip: float | None = None  # of the dataset that it was trained on; None: not recorded

    def load(self) -> tuple[KronosTokenizer, KronosPredictor]:
        """Both networks, in eval mode. Raises ModelError."""
        if self.folders is None:
            return untrained(self.facts["size"], self.facts["seed"])
        tokenizer = KronosTokenizer.from_pretrained(self.folders["tokenizer"])
        return tokenizer, KronosPredictor.from_pretrained(self.folders["predictor"])


class Trained(NamedTuple):
    """How a model was trained."""

    rules: TrainConfig
    dataset: str  # fingerprint
    finished: bool = True


class CurrentRecord(Record):
    """CURRENT: the pair that an evaluation chose."""

    model: Annotated[
        Literal["fine-tuned", "start"],
        BeforeValidator(lambda name: model_name(name) if isinstance(name, str) else name),
    ]
    evaluation: str  # fingerprint


def named_folder(model: str | Path) -> Path:
    """The folder of a model: `model` itself, or the folder of that name in the workspace around the current folder.

    Raises ModelError where there is neither.
    """
    folder = Path(model)
    if folder.is_dir() or len(folder.parts) != 1:
        return folder
    with suppress(UsageError):  # outside a workspace
        if (named := model_folder(workspace_root(), folder.name)).is_dir():
            return named
    raise ModelError(
        _(
            "{model} is neither a folder nor a trained model of this workspace; name a folder such as {example}",
            model=model,
            example="outputs/models/model_a_4h",
        )
    )


def training_record(models: Path) -> TrainingRecord | None:
    """How the published predictor in `models` was trained; of older trainings, the newest run. Raises ModelError."""
    for path in (published_record(models / "predictor"), last_record(models / "predictor")):
        if os.path.lexists(path):  # a link that leads nowhere is damage, and no older training
            return read_training(path)
    return None


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
                "{path} cannot be used: {reason}; recreate it with: kronosforge train --models {name} --force",
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
                "The training in {models} is not finished; continue it with: kronosforge train --models {name} "
                "--resume",
                models=models / "predictor",
                name=models.name,
            )
        )
    return training


def tuned_pair(models: Path) -> TunedPair:
    """The pair in `models`, which is outputs/models/<model>.

    A finished training leaves the tokenizer inside the predictor's best_model, published together with it, so that a
    later training of the tokenizer does not part them. Before 2026-11-26 it lay in tokenizer/best_model alone: that one
    is taken where its digest is the one that the predictor's training recorded. Raises ModelError.
    """
    predictor = models / "predictor" / BEST
    if not predictor.is_dir():
        raise ModelError(
            _(
                "{predictor} does not exist; train the model first: kronosforge train --models {name}",
                predictor=predictor,
                name=models.name,
            )
        )
    record = training_record(models)
    if record:
        refuse_other_files(published_record(models / "predictor"), record)
    if (predictor / TOKENIZER).is_dir():
        return TunedPair(predictor / TOKENIZER, predictor, record)
    tokenizer = models / "tokenizer" / BEST
    if not tokenizer.is_dir():
        return TunedPair(None, predictor, record)
    _refuse_other_tokenizer(tokenizer, record, models)
    return TunedPair(tokenizer, predictor, record)


def fine_tuned(models: Path, rules: TrainConfig) -> Pair:
    """The pair that training published; with the given tokenizer where it trained none. Raises ModelError."""
    pair = tuned_pair(models)
    clip = pair.record.clip if pair.record else None
    predictor = pair.predictor.relative_to(models).as_posix()
    if pair.tokenizer is not None:
        sources = {"tokenizer": pair.tokenizer.relative_to(models).as_posix(), "predictor": predictor}
        return _pair({"tokenizer": pair.tokenizer, "predictor": pair.predictor}, sources, clip)
    given = start(rules)
    assert given.folders is not None  # a predictor from scratch has a tokenizer of its own
    _refuse_other_tokenizer(given.folders["tokenizer"], pair.record, models)
    folders = {"tokenizer": given.folders["tokenizer"], "predictor": pair.predictor}
    return _pair(folders, {"tokenizer": rules.tokenizer, "predictor": predictor}, clip)


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


def chosen(models: Path, rules: TrainConfig, weights: Weights | None) -> Pair:
    """The pair to forecast with. None takes the first that there is of current, fine-tuned, start.

    CURRENT counts as long as the evaluation that wrote it, and the training that this one judged, are those that stand in
    `models`; otherwise it is ignored with a notice. Raises ModelError where there is no such pair, DataError where the
    evaluation is damaged.
    """
    training = trained(models)
    rules = training.rules if training else rules
    weights = cast("Weights | None", weights and model_name(weights))
    if weights in (None, CURRENT):
        weights = _promoted(models, rules, asked=weights == CURRENT)
    if weights == TUNED or (weights is None and training):
        return fine_tuned(models, rules)
    pair = start(rules)
    if pair.folders is None:
        raise ModelError(
            _(
                "{name} was trained from scratch and has no published weights to start from; leave --weights out",
                name=models.name,
            )
            if training
            else _(
                "{name} starts from scratch and is not trained yet; train it with: kronosforge train --models {name}",
                name=models.name,
            )
        )
    return pair


def promote(models: Path, evaluation: Mapping[str, Any]) -> None:
    """Make CURRENT name the pair that the verdict of `evaluation` keeps; remove it where the verdict keeps none.

    Call it under the lock of the evaluation. Raises DiskError.
    """
    path, verdict = models / CURRENT_FILE, evaluation["verdict"]
    if not verdict or verdict["keep"] is None:
        path.unlink(missing_ok=True)
        return
    pair = evaluation["provenance"]["models"][verdict["keep"]]
    content = {"model": verdict["keep"], **pair, "evaluation": evaluation["fingerprint"]}
    write_atomic(path, json_bytes(content))


def _promoted(models: Path, rules: TrainConfig, *, asked: bool) -> Weights | None:
    """The model that CURRENT names; None where there is no CURRENT, or an outdated one. Raises ModelError where it is `asked` for."""
    path = models / CURRENT_FILE
    if not os.path.lexists(path):
        if asked:
            raise ModelError(
                _(
                    "{current} does not exist; evaluate first: kronosforge evaluate --config {name}",
                    current=path,
                    name=models.name,
                )
            )
        return None
    remedy = evaluate_command(models.name, "--force")
    current = read_record(path, CurrentRecord, ModelError, remedy)
    evaluation = read_evaluation(models / EVALUATION, EvaluationRecord, remedy)
    if evaluation and evaluation.fingerprint == current.evaluation and _judged(evaluation, models, rules):
        return current.model
    if asked:
        raise ModelError(
            _(
                "{path} was written for another training or evaluation than the one here; evaluate again: {command}",
                path=path,
                command=evaluate_command(models.name),
            )
        )
    print_notice(
        _(
            "{path} is ignored: it was written for another training or evaluation than the one here; evaluate again: {command}",
            path=path,
            command=evaluate_command(models.name),
        )
    )
    return None


def _judged(evaluation: EvaluationRecord, models: Path, rules: TrainConfig) -> bool:
    """Whether `evaluation` judged the fine-tuned pair that stands in `models`."""
    judged = evaluation.provenance.models.get(TUNED)
    try:
        pair = PairRecord.model_validate(fine_tuned(models, rules).facts)
    except ModelError:  # it is missing or damaged
        return False
    return judged is not None and _digests(judged) == _digests(pair)


def _digests(pair: PairRecord) -> list[dict[str, str] | None]:
    return [part.sha256 if part else None for part in (pair.tokenizer, pair.predictor)]


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


def _refuse_other_tokenizer(tokenizer: Path, record: TrainingRecord | None, models: Path) -> None:
    """Raise ModelError unless the tokenizer in the folder is the one that the predictor's training recorded, if it did."""
    ids = record and record.facts.get("tokenizer_ids")
    if ids and digest(KronosTokenizer.from_pretrained(tokenizer)) != ids:
        raise ModelError(
            _(
                "{tokenizer} is not the tokenizer that the predictor in {models} was trained with; train "
                "the predictor on it: kronosforge train --models {name} --stage predictor --force",
                tokenizer=tokenizer,
                models=models,
                name=models.name,
            )
        )


def _pair(folders: dict[str, Path], sources: dict[str, str], clip: float | None = None) -> Pair:
    facts = {
        stage: {"source": sources[stage], "sha256": {name: _sha256(folder / name) for name in (CONFIG, WEIGHTS)}}
        for stage, folder in folders.items()
        if _whole(folder)
    }
    return Pair(facts, folders, clip)


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
