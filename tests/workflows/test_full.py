"""What a pipeline does with models that fail. Its stages are stand-ins: what each does is tested where it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch")

from kronosforge.config import ModelConfig
from kronosforge.core.errors import DataError, SourceError
from kronosforge.workflows import full
from kronosforge.workflows.full import PipelineResult
from kronosforge.workflows.pages import Pages
from kronosforge.workflows.train import FleetResult

MODELS = {
    name: ModelConfig(name=name, model_name=name, target_symbols=["BTC-USDT-SWAP_4H"]) for name in ("first", "second")
}


class Reporter:
    """Notes the stages that begin, and each failure."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.failures: list[full.Failure] = []

    def begins(self, model: str, stage: str) -> None:
        self.begun.append(f"{model} {stage}")

    def prepared(self, model: str, dataset: object) -> None: ...

    @contextmanager
    def training(self) -> Iterator[Callable[[str, str], None]]:
        yield lambda model, line: None

    def trained(self, fleet: FleetResult) -> None: ...

    def evaluating(self, model: str) -> Callable[[int, int], None]:
        return lambda done, total: None

    def evaluated(self, model: str, result: object) -> None: ...

    def forecast(self, model: str, result: object) -> None: ...

    def failed(self, failure: full.Failure) -> None:
        self.failures.append(failure)


def run_full(
    monkeypatch: pytest.MonkeyPatch,
    root: Path,
    failing: dict[str, Exception],
    codes: dict[str, int] | None = None,
) -> tuple[PipelineResult, Reporter]:
    """A pipeline whose stages raise what `failing` says, such as {"first evaluate": OSError()}."""

    def stage(name: str) -> Callable[..., Any]:
        def run(config: ModelConfig, *_: object, **__: object) -> str:
            if error := failing.get(f"{config.name} {name}"):
                raise error
            return f"{name} of {config.name}"

        return run

    def train_fleet(models: dict[str, ModelConfig], *_: object, **__: object) -> FleetResult:
        ends = {name: (codes or {}).get(name, 0) for name in models}
        summary = {"models": {name: {"exit_code": code, "error": "why" * bool(code)} for name, code in ends.items()}}
        return FleetResult(summary, {}, root, Pages([], {}))

    for name in ("prepare", "evaluate", "forecast"):
        monkeypatch.setattr(full, name, stage(name))
    monkeypatch.setattr(full, "train_fleet", train_fleet)
    reporter = Reporter()
    return full.full(MODELS, root, {}, reporter=reporter), reporter


def test_each_model_is_evaluated_before_its_forecast(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result, reporter = run_full(monkeypatch, tmp_path, {})
    assert result.exit_code == 0
    assert reporter.begun == [
        "first prepare", "second prepare", "first evaluate", "first forecast", "second evaluate", "second forecast"
    ]  # fmt: skip


@pytest.mark.parametrize("stage", ["prepare", "evaluate", "forecast"])
@pytest.mark.parametrize(
    ("error", "code"),
    [(DataError("damaged"), 4), (OSError(5, "Input/output error", "file"), 4), (ValueError("damaged"), 1)],
)
def test_what_fails_for_one_model_ends_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: str, error: Exception, code: int
) -> None:
    result, reporter = run_full(monkeypatch, tmp_path, {f"first {stage}": error})
    assert [(failure.model, failure.stage, failure.exit_code) for failure in result.failures] == [
        ("first", stage, code)
    ]
    assert reporter.failures == result.failures
    assert result.exit_code == code
    assert "second" in result.forecasts


def test_a_forecast_that_fails_leaves_the_evaluation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result, _ = run_full(monkeypatch, tmp_path, {"first forecast": SourceError("no network")})
    assert result.evaluations.keys() == {"first", "second"}
    assert result.exit_code == 3


def test_a_training_that_failed_is_a_failure_that_the_fleet_reports(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    result, reporter = run_full(monkeypatch, tmp_path, {}, codes={"first": 137})
    assert [(failure.stage, failure.exit_code) for failure in result.failures] == [("train", 5)]
    assert reporter.failures == []
    assert result.evaluations.keys() == {"second"}


def test_no_stage_begins_after_a_training_that_was_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result, _ = run_full(monkeypatch, tmp_path, {}, codes={"second": 130})
    assert result.exit_code == 130
    assert result.evaluations == {}
