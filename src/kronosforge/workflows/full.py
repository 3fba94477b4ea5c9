"""The whole way for many models: prepare → train → forecast → evaluate. One that fails does not stop the others."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from kronosforge.config import ModelConfig
from kronosforge.core.errors import KronosForgeError
from kronosforge.workflows.evaluate import EvaluationResult, evaluate
from kronosforge.workflows.fleet import model_code
from kronosforge.workflows.forecast import ForecastResult, forecast
from kronosforge.workflows.prepare import PreparedDataset, prepare
from kronosforge.workflows.train import FleetResult, Mode, Options, train_fleet
from kronosforge.workspace.paths import dataset_folders

T = TypeVar("T")


class Failure(NamedTuple):
    """Where a model's way ended, and why."""

    model: str
    stage: str
    error: str
    exit_code: int


class PipelineResult(NamedTuple):
    """What each stage made of each model, and which models failed."""

    prepared: dict[str, PreparedDataset]
    fleet: FleetResult | None  # None where no model got as far
    forecasts: dict[str, ForecastResult]
    evaluations: dict[str, EvaluationResult]
    failures: list[Failure]

    @property
    def exit_code(self) -> int:
        """0 where every model got to its verdict, 130 where training was stopped, else that of the first failure."""
        codes = [failure.exit_code for failure in self.failures]
        return 130 if 130 in codes else next(iter(codes), 0)

    def as_json(self) -> dict[str, Any]:
        """What `pipeline --json` prints."""
        return {
            "prepare": {name: dataset.as_json() for name, dataset in self.prepared.items()},
            "train": self.fleet.as_json() if self.fleet else None,
            "forecast": {name: result.as_json() for name, result in self.forecasts.items()},
            "evaluate": {name: result.as_json() for name, result in self.evaluations.items()},
            "failures": [failure._asdict() for failure in self.failures],
        }


class Watch(Protocol):
    """Told what happens, as it happens."""

    def begins(self, model: str, stage: str) -> None:
        """A stage of a model begins."""

    def prepared(self, model: str, dataset: PreparedDataset) -> None:
        """The model's dataset is there."""

    def training(self) -> AbstractContextManager[Callable[[str, str], None]]:
        """What is told each line of each model while they train."""

    def trained(self, fleet: FleetResult) -> None:
        """Training is over."""

    def forecast(self, model: str, result: ForecastResult) -> None:
        """The model's forecast is there."""

    def evaluating(self, model: str) -> Callable[[int, int], None]:
        """What counts the model's forecasts while it is evaluated."""

    def evaluated(self, model: str, result: EvaluationResult) -> None:
        """The model's evaluation is there."""

    def failed(self, failure: Failure) -> None:
        """A model's way ends here."""


class Settings(NamedTuple):
    """How the pipeline runs, the same for every model."""

    mode: Mode = "sequential"
    max_workers: int | None = None
    force: bool = False  # do again what is finished
    strict: bool = False  # a warning is an error


def full(
    models: Mapping[str, ModelConfig],
    root: Path,
    environ: Mapping[str, str],
    settings: Settings = Settings(),  # noqa: B008 - immutable
    *,
    watch: Watch,
    resume_commands: Mapping[str, str] | None = None,
) -> PipelineResult:
    """Prepare, train, forecast and evaluate every model in the workspace `root`, as far as it is not done.

    A model that fails is reported and left out from there on; the others go on. Raises only KeyboardInterrupt.
    """
    result = PipelineResult({}, None, {}, {}, [])
    run = _Run(models, root, environ, settings, watch, result.failures)
    for name in models:
        if dataset := run.attempt(name, "prepare", run.prepare):
            result.prepared[name] = dataset
            watch.prepared(name, dataset)
    result = result._replace(fleet=run.train(list(result.prepared), resume_commands or {}))
    for name in [name for name in result.prepared if name not in run.failed]:
        if sampled := run.attempt(name, "forecast", run.forecast):
            result.forecasts[name] = sampled
            watch.forecast(name, sampled)
        if judged := run.attempt(name, "evaluate", run.evaluate):
            result.evaluations[name] = judged
            watch.evaluated(name, judged)
    return result


class _Run(NamedTuple):
    """One run of the pipeline."""

    models: Mapping[str, ModelConfig]
    root: Path
    environ: Mapping[str, str]
    settings: Settings
    watch: Watch
    failures: list[Failure]

    @property
    def failed(self) -> set[str]:
        return {failure.model for failure in self.failures}

    def attempt(self, name: str, stage: str, step: Callable[[str], T]) -> T | None:
        """The result of a model's step, None where it failed, which is reported."""
        self.watch.begins(name, stage)
        try:
            return step(name)
        except KronosForgeError as error:
            self.fail(Failure(name, stage, str(error), error.exit_code))
            return None

    def fail(self, failure: Failure) -> None:
        self.failures.append(failure)
        self.watch.failed(failure)

    def prepare(self, name: str) -> PreparedDataset:
        config, settings = self.models[name], self.settings
        where = dataset_folders(config, self.root, self.environ)
        return prepare(config, where, self.environ, force=settings.force, strict=settings.strict)

    def train(self, names: list[str], resume_commands: Mapping[str, str]) -> FleetResult | None:
        if not names:
            return None
        options = Options(resume=not self.settings.force, force=self.settings.force)
        configs = {name: self.models[name] for name in names}
        try:
            with self.watch.training() as lines:
                fleet = train_fleet(
                    configs,
                    self.root,
                    options=options,
                    mode=self.settings.mode,
                    max_workers=self.settings.max_workers,
                    watch=lines,
                    resume_commands=resume_commands,
                )
        except KronosForgeError as error:
            for name in names:
                self.fail(Failure(name, "train", str(error), error.exit_code))
            return None
        self.watch.trained(fleet)
        for name, facts in fleet.summary["models"].items():
            if facts["exit_code"]:
                self.fail(Failure(name, "train", facts["error"], model_code(facts["exit_code"])))
        return fleet

    def forecast(self, name: str) -> ForecastResult:
        return forecast(self.models[name], self.root, self.environ)

    def evaluate(self, name: str) -> EvaluationResult:
        return evaluate(self.models[name], self.root, force=self.settings.force, progress=self.watch.evaluating(name))
