"""Every stage for many models: prepare → train → evaluate → forecast. A model that fails does not stop the others."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from kronosforge.config import ModelConfig
from kronosforge.core.boundary import explained
from kronosforge.core.errors import STOPPED
from kronosforge.engine.base import OnLine
from kronosforge.workflows.evaluate import EvaluationResult, evaluate
from kronosforge.workflows.fleet import model_code
from kronosforge.workflows.forecast import ForecastResult, forecast
from kronosforge.workflows.prepare import PreparedDataset, prepare
from kronosforge.workflows.train import FleetResult, Mode, Options, train_fleet
from kronosforge.workspace.paths import dataset_folders

T = TypeVar("T")

log = logging.getLogger("kronosforge.workflows")


class Failure(NamedTuple):
    """The stage at which a model failed, and why."""

    model: str
    stage: str
    error: str
    exit_code: int


class PipelineResult(NamedTuple):
    """The result of each stage for each model that it succeeded for, and the failures."""

    prepared: dict[str, PreparedDataset]
    fleet: FleetResult | None  # None where no training began
    evaluations: dict[str, EvaluationResult]
    forecasts: dict[str, ForecastResult]
    failures: list[Failure]

    @property
    def exit_code(self) -> int:
        """0 where no model failed, STOPPED where training was stopped, else that of the first failure."""
        codes = [failure.exit_code for failure in self.failures]
        return STOPPED if STOPPED in codes else next(iter(codes), 0)

    def as_json(self) -> dict[str, Any]:
        """What `pipeline --json` prints."""
        return {
            "prepare": {name: dataset.as_json() for name, dataset in self.prepared.items()},
            "train": self.fleet.as_json() if self.fleet else None,
            "forecast": {name: result.as_json() for name, result in self.forecasts.items()},
            "evaluate": {name: result.as_json() for name, result in self.evaluations.items()},
            "failures": [failure._asdict() for failure in self.failures],
        }


class PipelineReporter(Protocol):
    """Receives the events of a pipeline, as they happen."""

    def begins(self, model: str, stage: str) -> None:
        """A stage of a model begins."""

    def prepared(self, model: str, dataset: PreparedDataset) -> None:
        """The dataset of a model is finished."""

    def training(self) -> AbstractContextManager[OnLine]:
        """Training begins; the context gives the function that receives each line of each model."""

    def trained(self, fleet: FleetResult) -> None:
        """Training has ended; `fleet` says which models failed, and why."""

    def evaluating(self, model: str) -> Callable[[int, int], None]:
        """Returns the function that receives how many forecasts of how many are done while a model is evaluated."""

    def evaluated(self, model: str, result: EvaluationResult) -> None:
        """The evaluation of a model is finished."""

    def forecast(self, model: str, result: ForecastResult) -> None:
        """The forecast of a model is finished."""

    def failed(self, failure: Failure) -> None:
        """A model failed, but for those that `trained` received."""


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
    reporter: PipelineReporter,
    resume_commands: Mapping[str, str] | None = None,
) -> PipelineResult:
    """Prepare, train, evaluate and forecast every model in the workspace `root`, as far as it is not done.

    A model that fails at a stage, for whatever reason, is reported and left out of the later stages; the others go on.
    The evaluation comes before the forecast, because it decides which weights to forecast with. No stage begins after a
    training that was stopped. Raises only KeyboardInterrupt.
    """
    run = _Run(models, root, environ, settings, reporter, PipelineResult({}, None, {}, {}, []))
    for name in models:
        run.prepare(name)
    fleet = run.train(resume_commands or {}) if run.result.prepared else None
    if run.result.exit_code != STOPPED:
        for name in fleet.trained if fleet else ():
            run.evaluate(name)
            if name in run.result.evaluations:
                run.forecast(name)
    return run.result._replace(fleet=fleet)


class _Run(NamedTuple):
    """One run of the pipeline; each method adds to `result`."""

    models: Mapping[str, ModelConfig]
    root: Path
    environ: Mapping[str, str]
    settings: Settings
    reporter: PipelineReporter
    result: PipelineResult

    def prepare(self, name: str) -> None:
        config, settings = self.models[name], self.settings

        def call() -> PreparedDataset:
            folders = dataset_folders(config, self.root, self.environ)
            return prepare(config, folders, self.environ, force=settings.force, strict=settings.strict)

        if dataset := self._attempt(name, "prepare", call):
            self.result.prepared[name] = dataset
            self.reporter.prepared(name, dataset)

    def train(self, resume_commands: Mapping[str, str]) -> FleetResult | None:
        """Train the models that are prepared. None where no training could begin, which fails all of them."""
        settings, names = self.settings, list(self.result.prepared)
        try:
            with self.reporter.training() as on_line:
                fleet = train_fleet(
                    {name: self.models[name] for name in names},
                    self.root,
                    options=Options(resume=not settings.force, force=settings.force),
                    mode=settings.mode,
                    max_workers=settings.max_workers,
                    on_line=on_line,
                    resume_commands=resume_commands,
                )
        except Exception as error:  # noqa: BLE001 - whatever failed is reported
            for name in names:
                self._fail(name, "train", error)
            return None
        for name, facts in fleet.summary["models"].items():
            if facts["exit_code"]:
                self.result.failures.append(Failure(name, "train", facts["error"], model_code(facts["exit_code"])))
        self.reporter.trained(fleet)
        return fleet

    def evaluate(self, name: str) -> None:
        config, force = self.models[name], self.settings.force
        count = self.reporter.evaluating(name)
        result = self._attempt(name, "evaluate", lambda: evaluate(config, self.root, force=force, progress=count))
        if result:
            self.result.evaluations[name] = result
            self.reporter.evaluated(name, result)

    def forecast(self, name: str) -> None:
        result = self._attempt(name, "forecast", lambda: forecast(self.models[name], self.root, self.environ))
        if result:
            self.result.forecasts[name] = result
            self.reporter.forecast(name, result)

    def _attempt(self, name: str, stage: str, call: Callable[[], T]) -> T | None:
        """The result of a stage of a model; None where it failed, which is reported."""
        self.reporter.begins(name, stage)
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - what is wrong with one model must not stop the others
            self._fail(name, stage, error)
            return None

    def _fail(self, name: str, stage: str, error: Exception) -> None:
        log.debug("%s, %s failed", name, stage, exc_info=error)
        failure = Failure(name, stage, *explained(error))
        self.result.failures.append(failure)
        self.reporter.failed(failure)
