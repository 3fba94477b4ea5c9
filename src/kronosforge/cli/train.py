"""`kronosforge train`: many models, each in a process of its own; or one, in this process."""

import importlib
import importlib.util
import json
import os
import shlex
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from kronosforge.cli.console import print_table
from kronosforge.core.errors import TrainingError, UsageError
from kronosforge.core.i18n import tr
from kronosforge.workflows import fleet
from kronosforge.workspace.discovery import config_files, find_root
from kronosforge.workspace.loading import environment, load_config
from kronosforge.workspace.overrides import KNOBS, Resolved, explain, resolve
from kronosforge.workspace.paths import model_folders

if TYPE_CHECKING:
    from kronosforge.train.loop import Pace, Show
    from kronosforge.train.stages import StageName, TrainedStage

EVERY_S = 0.5  # between two live lines


def run(arguments: Namespace) -> int:
    """Explain, plan or train the models named."""
    needs_torch(tr("training", "训练"))
    root = find_root(script=arguments.script)
    resolved = resolved_models(arguments, root)
    if arguments.explain or arguments.dry_run:
        return _preview(arguments, resolved, Path(root))
    from kronosforge.train.devices import group  # noqa: PLC0415 - loads torch

    if group() or arguments.in_process:
        return _here(arguments, resolved, Path(root))
    return train_all(arguments, resolved, Path(root))


def resolved_models(arguments: Namespace, root: str) -> dict[str, Resolved]:
    """Name → config of every model that was named."""
    names = arguments.models or []
    if not names:
        known = ", ".join(config_files(root))
        raise UsageError(tr(f"--models is missing; this workspace has {known}", f"缺少 --models;本工作区有 {known}"))
    arguments.models = names = [os.path.abspath(name) if os.path.isfile(name) else name for name in names]  # noqa: PTH100, PTH113
    environ = environment(root)
    flags = knob_flags(arguments)
    found = [resolve(load_config(name, root), flags, environ) for name in names]
    twice = {one.config.name for one in found if [other.config.name for other in found].count(one.config.name) > 1}
    if twice:
        raise UsageError(tr(f"named twice: {', '.join(twice)}", f"重复指定:{', '.join(twice)}"))
    return {one.config.name: one for one in found}


def knob_flags(arguments: Namespace) -> dict[str, Any]:
    """Flag → value of every knob, None where it was not given."""
    return {knob.flag: getattr(arguments, knob.flag.strip("-").replace("-", "_"), None) for knob in KNOBS}


def stages_of(arguments: Namespace) -> "tuple[StageName, ...]":
    """The stages that --stage asks for."""
    return ("tokenizer", "predictor") if arguments.stage == "both" else (arguments.stage,)


def needs_torch(what: str) -> None:
    """Raise TrainingError where this installation lacks the libraries for `what`; otherwise load the model package."""
    missing = [name for name in ("torch", "safetensors", "huggingface_hub") if importlib.util.find_spec(name) is None]
    if missing:
        raise TrainingError(
            tr(
                f"{what} needs {', '.join(missing)}; pip install -e '.[train]' (or 'kronosforge[train]')",
                f"{what}需要 {', '.join(missing)};请 pip install -e '.[train]'(或 'kronosforge[train]')",
            )
        )
    importlib.import_module("kronosforge.model")  # configures torch before it is loaded


def _preview(arguments: Namespace, resolved: dict[str, Resolved], root: Path) -> int:
    from kronosforge.train.cost import cost  # noqa: PLC0415 - loads torch

    facts: dict[str, Any] = {name: {} for name in resolved}
    for name, one in resolved.items():
        if arguments.explain:
            rows = explain(one)
            facts[name]["knobs"] = [{"key": key, "value": value, "origin": origin} for key, value, origin in rows]
            if not arguments.json:
                print(name)
                print_table([tr("knob", "参数"), tr("value", "值"), tr("from", "来源")], rows)
        if arguments.dry_run:
            facts[name]["cost"] = cost(one.config, model_folders(one.config, root), stages_of(arguments))
    if arguments.json:
        print(json.dumps(facts, ensure_ascii=False))
    elif arguments.dry_run:
        _print_costs({name: fact["cost"] for name, fact in facts.items()})
    return 0


def _print_costs(costs: dict[str, Any]) -> None:
    heads = ["windows", "steps_per_epoch", "steps", "parameters", "weights_mb", "memory_mb", "step_s", "seconds"]
    names = ["窗口", "每轮步数", "总步数", "参数量", "权重MB", "内存MB", "每步秒", "总秒数"]
    titles = [tr("model", "模型"), tr("stage", "阶段"), *(tr(*pair) for pair in zip(heads, names, strict=True))]
    rows = [
        [model, stage, *(f"{facts[h]:.3f}" if h == "step_s" else facts[h] for h in heads)]
        for model, stages in costs.items()
        for stage, facts in stages.items()
    ]
    print(tr("Plan (nothing was written; steps were measured here)", "计划(未写入任何文件;每步耗时在本机实测)"))
    print_table(titles, rows)
    seconds = sum(facts["seconds"] for stages in costs.values() for facts in stages.values())
    print(tr("at most, one after the other:", "依次训练最多约需:"), f"{clock(seconds)}")


def _here(arguments: Namespace, resolved: dict[str, Resolved], root: Path) -> int:
    """Train in this process: what the fleet starts, and torchrun."""
    from kronosforge.train.devices import Group, group  # noqa: PLC0415 - loads torch
    from kronosforge.train.stages import train  # noqa: PLC0415

    for name, one in resolved.items():
        done = train(
            one.config,
            root,
            stages_of(arguments),
            resume=arguments.resume,
            force=arguments.force,
            new_data=arguments.accept_new_data,
            show=lambda stage, name=name: _pace_printer(f"{name} {stage}"),  # type: ignore[misc]
        )
        if (group() or Group(0, 1, 0)).rank == 0:
            for stage, result in done.items():
                _print_stage(stage, result)
    return 0


def _pace_printer(title: str) -> "Show":
    """Prints a live line now and then: over the last one on a terminal, marked for the parent in its pipe."""
    last = 0.0
    tty = sys.stdout.isatty()

    def show(pace: "Pace") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < EVERY_S and pace.step < pace.steps:
            return
        last = now
        line = pace_line(title, pace)
        if tty:
            print(f"\r\x1b[2K{line}", end="\n" if pace.step == pace.steps else "", flush=True)
        else:
            print(f"{fleet.LIVE}{line}", flush=True)

    return show


def pace_line(title: str, pace: "Pace") -> str:
    """How far a stage has come, in one line."""
    return tr(
        f"{title}  epoch {pace.epoch}/{pace.epochs}  step {pace.step}/{pace.steps}  loss {pace.loss:.4f}  "
        f"{pace.bars_per_s:,.0f} bars/s  {clock(pace.seconds_left)} left",
        f"{title}  第 {pace.epoch}/{pace.epochs} 轮  第 {pace.step}/{pace.steps} 步  损失 {pace.loss:.4f}  "
        f"{pace.bars_per_s:,.0f} 根/秒  剩余 {clock(pace.seconds_left)}",
    )


def _print_stage(stage: "StageName", done: "TrainedStage") -> None:
    epochs = done.progress.epochs
    for epoch in epochs:
        facts = ", ".join(f"{key} {value:.4f}" for key, value in epoch["val"].items() if "_" not in key)
        print(f"  {stage} epoch {epoch['epoch']}: {facts}" + " *" * epoch["best"])
    if stage == "tokenizer":
        _print_health(epochs[0]["val"], epochs[done.progress.best_epoch]["val"])
    print(tr("best:", "最佳:"), f"epoch {done.progress.best_epoch}", done.best)


def _print_health(before: dict[str, float], after: dict[str, float]) -> None:
    """The tokenizer before and after, and what follows for the next run."""
    rows = [[key, f"{before[key]:.4f}", f"{after[key]:.4f}"] for key in before]
    print_table([tr("validation", "验证"), tr("before", "之前"), tr("after", "之后")], rows)
    gain = 1 - after["reconstruction"] / before["reconstruction"] if before["reconstruction"] else 0.0
    if gain < 0.05:
        print(
            tr(
                f"advice: training the tokenizer gained {gain:.1%} of reconstruction; --freeze-tokenizer keeps the codes "
                "that the pretrained predictor knows",
                f"建议:训练 tokenizer 只改善了 {gain:.1%} 的重建误差;--freeze-tokenizer 可保留预训练 predictor 熟悉的编码",
            )
        )
    else:
        print(
            tr(
                f"advice: reconstruction improved by {gain:.1%}; train the predictor on these codes, not on the old ones",
                f"建议:重建误差改善了 {gain:.1%};请在新的编码上训练 predictor",
            )
        )


def train_all(arguments: Namespace, resolved: dict[str, Resolved], root: Path) -> int:
    """Train every model in a process of its own; exit code 5 where one failed, 130 where it was stopped."""
    from kronosforge.cli.reports import write_pages  # noqa: PLC0415 - loads polars
    from kronosforge.model.devices import gpus  # noqa: PLC0415 - loads torch
    from kronosforge.train.stages import dataset_fingerprint, guard  # noqa: PLC0415

    for one in resolved.values():
        if not (arguments.resume or arguments.force):
            guard(one.config, root, stages_of(arguments))
        if len(resolved) == 1:
            dataset_fingerprint(model_folders(one.config, root).dataset, one.config)
    named = dict(zip(resolved, arguments.models, strict=True))
    jobs = [fleet.Job(name, child_arguments(arguments, given)) for name, given in named.items()]
    device = {one.config.train.device for one in resolved.values()}
    count = 0 if device <= {"cpu", "mps"} else gpus()
    folder = fleet.new_folder(root)
    with _board() as show:
        outcomes = fleet.run(
            jobs, fleet.slots(arguments.mode, count, len(jobs), arguments.max_workers), root, folder, show
        )
    resume = {name: _command(arguments, given) for name, given in named.items()}
    summary = fleet.collect(outcomes, root, folder, resume)
    if arguments.json:
        print(json.dumps(summary, ensure_ascii=False))
    else:
        print("\n".join(fleet.lines(summary)))
        print(tr("Summary:", "汇总:"), folder / "summary.json")
    write_pages((one.config for one in resolved.values()), root, quiet=arguments.json)
    return _exit_code(outcomes)


def child_arguments(arguments: Namespace, model: str) -> list[str]:
    """The command line of the child that trains `model`."""
    given = ["train", "--models", model, "--stage", arguments.stage, "--in-process"]
    for name in ("resume", "force", "accept_new_data", "freeze_tokenizer"):
        given += [f"--{name.replace('_', '-')}"] * bool(getattr(arguments, name, None))
    for knob in KNOBS:
        value = getattr(arguments, knob.flag.strip("-").replace("-", "_"), None)
        if knob.key.startswith("train.") and value is not None and not isinstance(value, bool):
            given += [knob.flag, str(value)]
    return given


def _command(arguments: Namespace, model: str) -> str:
    """What a person types to go on with `model`."""
    kept = [
        word for word in child_arguments(arguments, model)[1:] if word not in ("--in-process", "--force", "--resume")
    ]
    return shlex.join(["python", "Kronos/finetune/multi_model_trainer.py", *kept, "--resume"])


def _exit_code(outcomes: list[fleet.Outcome]) -> int:
    codes = {outcome.exit_code for outcome in outcomes}
    if 130 in codes:
        return 130
    return 0 if codes == {0} else TrainingError.exit_code


@contextmanager
def _board() -> Iterator[Callable[[str, str], None]]:
    """On a terminal a line per model that moves; elsewhere the news of each model, and no progress."""
    if not sys.stderr.isatty():
        yield (
            lambda model, line: (
                None if line.startswith(fleet.LIVE) else print(f"[{model}] {line}", file=sys.stderr, flush=True)
            )
        )
        return
    last: dict[str, str] = {}
    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:

        def show(model: str, line: str) -> None:
            if line.startswith(fleet.LIVE):
                last[model] = line.removeprefix(fleet.LIVE)
                live.update(Text("\n".join(last.values())), refresh=True)
            else:
                live.console.print(Text(f"[{model}] {line}"))

        yield show


def clock(seconds: float) -> str:
    """`1:02:03`."""
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}"
