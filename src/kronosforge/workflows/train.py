"""Train many models: each in a process of its own, and one that fails does not stop the others."""

import os
from collections.abc import Callable, Mapping, Sequence
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
from kronosforge.train.loop import Watch as StageWatch
from kronosforge.train.stages import guard
from kronosforge.workflows.fleet import NOTHING, STATUS, fleet_code, read_stages, record_times, summary_lines
from kronosforge.workflows.pages import Pages, write_pages
from kronosforge.workflows.progress import StageLines, stage_lines
from kronosforge.workspace.paths import SUMMARY, model_folder, model_folders, training_logs, training_report
from kronosforge.workspace.validation import validate

Mode = Literal["sequential", "parallel"]


class FleetResult(NamedTuple):
    """How each model's training ended, the folder with the logs, and the models' pages."""

    summary: dict[str, Any]  # summary.json
    folder: Path
    pages: Pages

    @property
    def exit_code(self) -> int:
        """0 where every model is trained, 130 where one was stopped, that of a single model, else 5."""
        return fleet_code([model["exit_code"] for model in self.summary["models"].values()])

    def as_json(self) -> dict[str, Any]:
        """What `train --json` prints."""
        return self.summary


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
    watch: OnLine = lambda model, line: None,
    resume_commands: Mapping[str, str] | None = None,
    engine: Engine | None = None,
) -> FleetResult:
    """Train `stages` of every model in the workspace `root`, and write a log for each, a summary and the pages.

    `watch` is told each line of each model; `resume_commands` are the command lines that go on with a model that did not
    end. Without `engine`, processes on this machine: one after the other, or in parallel, with a GPU each or equal shares
    of the cores. Raises UsageError where a run stands already and `options` do not say what to do about it, DataError
    where a single model has no dataset; other failures are in the result.
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
    outcomes = engine.run(jobs, logs, watch)
    summary = _summary(outcomes, root, logs, resume_commands or {}, before)
    return FleetResult(summary, logs, write_pages(models.values(), root))


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
    trained = train_here(
        model, Path(root), stages, Options(resume, force, new_data), keep=keep, live=lambda line: keep(LIVE + line)
    )
    for stage, result in trained.items():
        for line in stage_lines(stage, result):
            keep(line)
    return 0


def train_here(
    config: ModelConfig,
    root: Path,
    stages: Sequence[StageName],
    options: Options,
    *,
    keep: Callable[[str], None],
    live: Callable[[str], None],
) -> dict[StageName, TrainedStage]:
    """Train `stages` of one model in this process, or in all that torchrun started; lines go to `keep` and `live`."""
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun is the parent, and does not see to it
        die_with_parent(os.getppid())

    def watch(stage: StageName) -> StageWatch:
        return StageLines(f"{config.name} {stage}", keep, live)

    return train_stages(config, root, stages, watch=watch, **options._asdict())


def _summary(
    outcomes: Sequence[Outcome],
    root: Path,
    logs: Path,
    resume: Mapping[str, str],
    before: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """Write summary.json and training_report_*.txt into `logs`, and return the summary.

    Of a model that failed, stages are left out whose records are those of `before`: they are of an earlier run.
    """
    models = {
        outcome.name: {
            "status": STATUS.get(outcome.exit_code, "failed"),
            "exit_code": outcome.exit_code,
            "error": outcome.error,
            "seconds": round(outcome.seconds, 1),
            "log": outcome.log.relative_to(root).as_posix(),
            "resume": resume.get(outcome.name) if outcome.exit_code else None,
            "stages": read_stages(
                model_folder(root, outcome.name), before[outcome.name] if outcome.exit_code else NOTHING
            ),
        }
        for outcome in outcomes
    }
    summary = {"run": logs.name, "models": models}
    write_atomic(logs / SUMMARY, json_bytes(summary))
    write_atomic(training_report(logs), ("\n".join(summary_lines(summary)) + "\n").encode())
    return summary
