"""Evaluate a model on its test split, or walk forward, and write its page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kronosforge.config import ModelConfig
from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _
from kronosforge.evaluate import MODELS
from kronosforge.evaluate import evaluate as evaluate_model
from kronosforge.train.devices import group
from kronosforge.workflows.pages import Pages, write_pages
from kronosforge.workflows.walk_forward import Watch, walk_forward
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
    evaluation = evaluate_model(config, root, models=models, progress=progress, force=force)
    path = model_folders(config, root).models / EVALUATION
    return EvaluationResult(evaluation, path, write_pages([config], root))


def evaluate_folds(
    config: ModelConfig,
    folds: int,
    root: Path,
    *,
    models: Sequence[str] = MODELS,
    force: bool = False,
    watch: Watch | None = None,
) -> EvaluationResult:
    """Walk forward over `folds` test windows, as `kronosforge.walk_forward` does, and write the model's page.

    Raises UsageError under torchrun, or where only some of the models are to be evaluated.
    """
    if group():
        raise UsageError(_("--folds runs in one process; start it without torchrun"))
    if set(models) != set(MODELS):
        raise UsageError(
            _("--folds evaluates the fine-tuned model and its start checkpoint together; leave --models out")
        )
    evaluation = walk_forward(config, folds, root, force=force, watch=watch)
    path = model_folders(config, root).folds / EVALUATION
    return EvaluationResult(evaluation, path, write_pages([config], root))
