"""`kronosforge evaluate --folds K`: what it will cost, how far it is, and one table over the folds."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kronosforge.cli.console import print_table
from kronosforge.cli.evaluate import cell, counting, live, origins, print_verdict
from kronosforge.cli.train import clock, pace_line
from kronosforge.config import ModelConfig
from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import tr
from kronosforge.evaluate import MODELS
from kronosforge.train.devices import group
from kronosforge.train.loop import Pace, Show
from kronosforge.train.stages import StageName
from kronosforge.workflows.walk_forward import walk_forward
from kronosforge.workspace.paths import EVALUATION, model_folders

HEADS = [
    ("fold", "折"), ("first forecast", "首次预测"), ("last forecast", "末次预测"), ("forecasts", "预测数"),
    ("CRPS % fine-tuned", "CRPS % 微调后"), ("start", "起点"), ("best baseline", "最佳基线"),
    ("direction %", "方向命中 %"), ("IC", "IC"), ("edge", "优势"),
]  # fmt: skip


def walk(arguments: Namespace, config: ModelConfig, root: Path) -> None:
    """Walk forward and print what was found. Raises UsageError under torchrun, or where only some models are to be judged."""
    if group():
        raise UsageError(
            tr(
                "--folds runs in one process; start it without torchrun",
                "--folds 只在单个进程中运行;请不要用 torchrun 启动",
            )
        )
    if set(arguments.models) != set(MODELS):
        raise UsageError(
            tr(
                "--folds judges fine-tuned and start together; leave --models out",
                "--folds 总是同时评估两者;请去掉 --models",
            )
        )
    watch = _Watch(config.name, arguments.folds)
    found = walk_forward(config, arguments.folds, root, force=arguments.force, watch=watch)
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        _print(found, model_folders(config, root).folds / EVALUATION)


class _Watch:
    """Tells of a walk on stderr: its cost and each fold's end in lines, what is going on in a live one."""

    def __init__(self, name: str, folds: int) -> None:
        self._name, self._folds = name, folds

    def begins(self, trainings: int, seconds: float) -> None:
        each, whole = clock(seconds), clock(trainings * seconds)
        line = tr(
            f"{self._name}: folds to train: {trainings}, each in at most {each}, {whole} in all, and the forecasts; "
            "Ctrl-C keeps what is done, and the same command goes on",
            f"{self._name}:待训练 {trainings} 折,每折至多 {each},共 {whole},另加预测;Ctrl-C 保留已完成部分,重新运行同一命令即可继续",
        )
        print(line, file=sys.stderr, flush=True)

    def trains(self, fold: int, stage: StageName) -> Show | None:
        title, tell = f"{self._title(fold)} {stage}", live()

        def show(pace: Pace) -> None:
            tell(pace_line(title, pace), pace.epoch == pace.epochs and pace.step == pace.steps)

        return show

    def judges(self, fold: int) -> Callable[[int, int], None]:
        return counting(self._title(fold))

    def ended(self, fold: int, found: dict[str, Any]) -> None:
        outcome = tr("edge", "有优势") if found["verdict"]["promote"] else tr("no edge", "没有优势")
        crps = cell(found["models"]["fine-tuned"]["pooled"]["crps"], "crps")
        print(f"{self._title(fold)}: {outcome}, CRPS {crps} %", file=sys.stderr, flush=True)

    def _title(self, fold: int) -> str:
        return tr(f"{self._name} fold {fold} of {self._folds}", f"{self._name} 第 {fold}/{self._folds} 折")


def _print(found: dict[str, Any], path: Path) -> None:
    print_verdict(found["verdict"])
    print(origins(found["origins"], found["horizon"]))
    rows = [_row(str(one["fold"]), one) for one in found["folds"]]
    print_table([tr(*head) for head in HEADS], [*rows, _row(tr("all", "合计"), found)])
    print(_lower(found))
    for note in found["notes"]:
        print(tr(note["en"], note["zh"]))
    print(path)


def _row(name: str, told: dict[str, Any]) -> list[object]:
    pooled = {key: one["pooled"] for key, one in told["models"].items()}
    baseline = told["verdict"]["baseline"]
    tuned = pooled["fine-tuned"]
    return [
        name,
        told["origins"]["first"],
        told["origins"]["last"],
        told["origins"]["judged"],
        cell(tuned["crps"], "crps"),
        cell(pooled["pretrained"]["crps"], "crps"),
        f"{cell(pooled[baseline]['crps'], 'crps')} {baseline}" if baseline else "–",
        cell(tuned["hit"], "hit"),
        cell(tuned["ic"], "ic"),
        tr("yes", "有") if told["verdict"]["promote"] else tr("no", "无"),
    ]


def _lower(found: dict[str, Any]) -> str:
    folds = len(found["folds"])
    told = ", ".join(f"{name} {count}" for name, count in found["lower_in"].items())
    return tr(
        f"of {folds} folds, the fine-tuned CRPS is lower than that of: {told}",
        f"{folds} 折中微调后 CRPS 更低的折数:{told}",
    )
