"""Train many models: each in a process of its own, or one after the other in this process, as torchrun needs it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kronosforge.config import ModelConfig
from kronosforge.core.digests import json_bytes
from kronosforge.core.files import write_atomic
from kronosforge.dataset.manifest import finished_manifest
from kronosforge.engine.base import LIVE, Engine, Job, OnLine, Outcome
from kronosforge.engine.local import LocalEngine, Slot, slots, visible_gpus
from kronosforge.engine.parent import die_with_parent
from kronosforge.model.devices import gpu_of, gpus
from kronosforge.train import STAGES, StageName, TrainedStage
from kronosforge.train import train as train_stages
from kronosforge.train.cost import cost
from kronosforge.train.devices import Group, group
from kronosforge.train.loop import StageReporter
from kronosforge.train.stages import guard
from kronosforge.workflows.fleet import (
    Stages,
    fleet_code,
    model_summary,
    read_stages,
    record_times,
    summary_lines,
    unchanged_stages,
)
from kronosforge.workflows.pages import Pages, write_pages
from kronosforge.workflows.progress import StageLines, trained_lines
from kronosforge.workspace.paths import SUMMARY, model_folder, model_folders, training_logs, training_report
from kronosforge.workspace.validation import validate

Mode = Literal["sequential", "parallel"]


class FleetResult(NamedTuple):
    """How the training of each model ended, the folder with the logs, and the models' pages."""

    summary: dict[str, Any]  # summary.json
    unchanged: Mapping[str, Stages]  # model → the stages that this run did not train
    folder: Path
    pages: Pages

    @property
    def exit_code(self) -> int:
        """0 where every model is trained, STOPPED where one was stopped, that of a single model, else 5."""
        return fleet_code([model["exit_code"] for model in self.summary["models"].values()])

    @property
    def trained(self) -> list[str]:
        """The models whose training did not fail."""
        return [name for name, model in self.summary["models"].items() if not model["exit_code"]]

    def as_json(self) -> dict[str, Any]:
        """What `train --json` prints."""
        return self.summary

    def lines(self) -> Iterator[str]:
        """The summary for people."""
        return summary_lines(self.summary, self.unchanged)


class InProcessResult(NamedTuple):
    """What training in this process made of each stage of each model."""

    trained: dict[str, dict[StageName, TrainedStage]]
    summary: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """What `train --in-process --json` prints."""
        return self.summary

    def lines(self) -> Iterator[str]:
        """The result for people."""
        for name, stages in self.trained.items():
            yield from trained_lines(name, stages)


class Options(NamedTuple):
    """What is done about an earlier run, the same for every model."""

    resume: bool = False
    force: bool = False
    new_data: bool = False  # resume on another dataset


def train_fleet(
    models: Mapping[str, ModelConfig],
    root: Path,
    stages: Sequence[StageName] = STAGES,
    options: Options = Options(),  # noqa: B008 - immutable
    *,
    mode: Mode = "sequential",
    max_workers: int | None = None,
    on_line: OnLine = lambda model, line: None,
    resume_commands: Mapping[str, str] | None = None,
    engine: Engine | None = None,
) -> FleetResult:
    """Train `stages` of every model in the workspace `root`, and write a log for each, a summary and the pages.

    `on_line` receives each line of each model; `resume_commands` are the command lines that continue a model that did
    not end. Without `engine`, processes on this machine: one after the other, or in parallel, with a GPU each or equal
    shares of the cores. Raises UsageError where a run stands already and `options` do not say what to do about it,
    DataError where a single model has no dataset; other failures are in the result.
    """
    for config in models.values():
        if not (options.resume or options.force):
            guard(config, root, stages)
        if len(models) == 1:
            finished_manifest(model_folders(config, root).dataset, config)
    logs = training_logs(root, datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ"))
    jobs = [_job(name, config, root, stages, options) for name, config in models.items()]
    engine = engine or _local(jobs, root, mode, max_workers)
    before = {name: record_times(model_folder(root, name)) for name in models}
    outcomes = engine.run(jobs, logs, on_line)
    unchanged = {name: unchanged_stages(model_folder(root, name), times) for name, times in before.items()}
    summary = _summary(outcomes, root, logs, resume_commands or {}, unchanged)
    return FleetResult(summary, unchanged, logs, write_pages(models.values(), root))


def train_in_process(
    models: Mapping[str, ModelConfig],
    root: Path,
    stages: Sequence[StageName] = STAGES,
    options: Options = Options(),  # noqa: B008 - immutable
    *,
    keep: Callable[[str], None],
    live: Callable[[str], None],
) -> InProcessResult | None:
    """Train `stages` of every model, one after the other, in this process or in all that torchrun started.

    `keep` receives a line per epoch, `live` one that only shows progress. Returns None in every process of torchrun but
    the main one. Raises what `kronosforge.train` raises: the first model that fails ends it.
    """
    trained = {
        name: _train_stages(config, root, stages, options, keep=keep, live=live) for name, config in models.items()
    }
    if not is_main_process():
        return None
    summary = {name: {"status": "done", "stages": read_stages(model_folder(root, name))} for name in models}
    return InProcessResult(trained, {"models": summary})


def in_group() -> bool:
    """Whether torchrun started this process, maybe beside others. Raises UsageError for variables that make no sense."""
    return group() is not None


def is_main_process() -> bool:
    """True in the one process that prints and writes."""
    return (group() or Group(0, 1, 0)).rank == 0


def training_cost(config: ModelConfig, root: Path, stages: Sequence[StageName] = STAGES) -> dict[str, Any]:
    """Stage → what training it will cost: windows, steps, parameters, memory (MB) and seconds, from steps measured here."""
    return cost(config, model_folders(config, root), tuple(stages))


def _local(jobs: Sequence[Job], root: Path, mode: Mode, max_workers: int | None) -> LocalEngine:
    if mode == "sequential":
        return LocalEngine([Slot()], root)
    at_once = max(1, max_workers or len(jobs))
    count = gpus() if any(job.gpu is not None for job in jobs) else 0
    return LocalEngine(slots(jobs, visible_gpus(count), at_once), root, at_once)


def _job(name: str, config: ModelConfig, root: Path, stages: Sequence[StageName], options: Options) -> Job:
    data = {"config": config.model_dump(mode="json"), "root": str(root), "stages": list(stages), **options._asdict()}
    return Job(name, "kronosforge.workflows.train:train_job", data, gpu_of(config.train.device))


def train_job(
    config: dict[str, Any], root: str, stages: list[StageName], *, resume: bool, force: bool, new_data: bool
) -> int:
    """Train one model in this process, for an engine: what it prints is the model's log. Returns the exit code."""

    def keep(line: str) -> None:
        print(line, flush=True)

    model = validate(config, str(config.get("name")))
    options = Options(resume, force, new_data)
    trained = _train_stages(model, Path(root), stages, options, keep=keep, live=lambda line: keep(LIVE + line))
    for line in trained_lines(model.name, trained):
        keep(line)
    return 0


def _train_stages(
    config: ModelConfig,
    root: Path,
    stages: Sequence[StageName],
    options: Options,
    *,
    keep: Callable[[str], None],
    live: Callable[[str], None],
) -> dict[StageName, TrainedStage]:
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun is the parent, and does not see to it
        die_with_parent(os.getppid())

    def reporter(stage: StageName) -> StageReporter:
        return StageLines(f"{config.name} {stage}", keep, live)

    return train_stages(config, root, stages, reporter=reporter, **options._asdict())


def _summary(
    outcomes: Sequence[Outcome],
    root: Path,
    logs: Path,
    resume: Mapping[str, str],
    unchanged: Mapping[str, Stages],
) -> dict[str, Any]:
    """Write summary.json and training_report_*.txt into `logs`, and return the summary."""
    models = {
        outcome.name: model_summary(outcome, root, resume.get(outcome.name), unchanged[outcome.name])
        for outcome in outcomes
    }
    summary = {"run": logs.name, "models": models}
    write_atomic(logs / SUMMARY, json_bytes(summary))
    report = "\n".join(summary_lines(summary, unchanged))
    write_atomic(training_report(logs), (report + "\n").encode())
    return summary
