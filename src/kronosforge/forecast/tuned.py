"""The fine-tuned pair of a model: the predictor that training published, and the tokenizer whose ids it learned."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kronosforge.core.errors import ModelError, UsageError
from kronosforge.core.i18n import _
from kronosforge.model import KronosTokenizer
from kronosforge.model.checkpoint import digest
from kronosforge.workspace.paths import BEST, TOKENIZER, model_folder, workspace_root
from kronosforge.workspace.training_record import (
    TrainingRecord,
    last_record,
    published_record,
    read_training,
    refuse_other_files,
)


class TunedPair(NamedTuple):
    """Two checkpoints that belong together, and how the predictor was trained."""

    tokenizer: Path | None  # None: training used the one that the settings name
    predictor: Path
    record: TrainingRecord | None  # None: trained by something else


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
    if record and (ids := record.facts.get("tokenizer_ids")):
        refuse_other_tokenizer(tokenizer, ids, models)
    return TunedPair(tokenizer, predictor, record)


def training_record(models: Path) -> TrainingRecord | None:
    """How the published predictor in `models` was trained; of older trainings, the newest run. Raises ModelError."""
    for path in (published_record(models / "predictor"), last_record(models / "predictor")):
        if os.path.lexists(path):  # a link that leads nowhere is damage, and no older training
            return read_training(path)
    return None


def refuse_other_tokenizer(tokenizer: Path, ids: str, models: Path) -> None:
    """Raise ModelError unless the tokenizer in the folder is the one with the digest `ids`."""
    if digest(KronosTokenizer.from_pretrained(tokenizer)) != ids:
        raise ModelError(
            _(
                "{tokenizer} is not the tokenizer that the predictor in {models} was trained with; train "
                "the predictor on it: kronosforge train --models {name} --stage predictor --force",
                tokenizer=tokenizer,
                models=models,
                name=models.name,
            )
        )
