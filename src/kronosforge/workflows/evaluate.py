"""Evaluate a model on its test split, or walk forward, and write its page."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kronosforge.config import ModelConfig
from kronosforge.core.errors import UsageError
from kronosforge.core.evaluation_record import EvaluationRecord, evaluate_command, read_evaluation
from kronosforge.core.i18n import _
from kronosforge.evaluate import MODELS
from kronosforge.evaluate import evaluate as evaluate_model
from kronosforge.forecast.weights import begun
from kronosforge.train.devices import group
from kronosforge.train.stages import FREE
from kronosforge.workflows.pages import Pages, write_pages
from kronosforge.workflows.walk_forward import WalkProgress, walk_forward
from kronosforge.workspace.paths import EVALUATION, model_folders


class EvaluationResult(NamedTuple):
    """A finished evaluation, the file that holds it, and the pages that show it."""

    evaluation: dict[str, Any]
    path: Path
    pages: Pages

    def as_json(self) -> dict[str, Any]:
        """What `evaluate --json` prints."""
        return self.evaluation


def evaluate(
    config: ModelConfig,
    root: Path,
    *,
    models: Sequence[str] = MODELS,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EvaluationResult:
    """Evaluate `models` of `config` in the workspace `root`, as `kronosforge.evaluate` does, and write the model's page.

    `progress` is told how many forecasts of how many are done.
    """
    path = model_folders(config, root).models / EVALUATION
    if set(models) != set(MODELS) and not force:
        _refuse_to_lose_a_verdict(config.name, path, models)
    evaluation = evaluate_model(config, root, models=models, progress=progress, force=force)
    return EvaluationResult(evaluation, path, write_pages([config], root))


def _refuse_to_lose_a_verdict(name: str, path: Path, models: Sequence[str]) -> None:
    evaluation = read_evaluation(path, EvaluationRecord, evaluate_command(name, "--force"))
    if evaluation and evaluation.verdict:
        raise UsageError(
            _(
                "{path} holds the verdict of a whole evaluation; --force replaces it with the scores of {models} alone",
                path=path,
                models=", ".join(models),
            )
        )


def _refuse_other_training(config: ModelConfig, root: Path, overridden: Collection[str]) -> None:
    """Raise UsageError where a setting of training that was given has no effect: folds are trained as the model here was."""
    training = begun(model_folders(config, root).models)
    if training is None:
        return
    names = {key.removeprefix("train.") for key in overridden if key.startswith("train.")}
    for name in sorted(names - FREE):
        trained, given = getattr(training.rules, name), getattr(config.train, name)
        if trained != given:
            raise UsageError(
                _(
                    "Folds are trained like the model here: train.{name} is {trained!r}, and not {given!r}; train the model "
                    "with that first, or leave the setting out",
                    name=name,
                    trained=trained,
                    given=given,
                )
            )


def evaluate_folds(
    config: ModelConfig,
    folds: int,
    root: Path,
    *,
    models: Sequence[str] = MODELS,
    force: bool = False,
    watch: WalkProgress | None = None,
    overridden: Collection[str] = (),
) -> EvaluationResult:
    """Walk forward over `folds` test windows, as `kronosforge.walk_forward` does, and write the model's page.

    `overridden` are the settings that the user gave for this run. Raises UsageError under torchrun, where only some of the
    models are to be evaluated, or where one of `overridden` is not what the model here was trained with.
    """
    if group():
        raise UsageError(_("--folds runs in one process; start it without torchrun"))
    if set(models) != set(MODELS):
        raise UsageError(
            _("--folds evaluates the fine-tuned model and its start checkpoint together; leave --models out")
        )
    _refuse_other_training(config, root, overridden)
    evaluation = walk_forward(config, folds, root, force=force, watch=watch)
    path = model_folders(config, root).folds / EVALUATION
    return EvaluationResult(evaluation, path, write_pages([config], root))
