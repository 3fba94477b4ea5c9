"""`kronosforge evaluate`: one model, judged; the verdict first, the baselines beside."""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kronosforge.cli.console import print_table
from kronosforge.cli.reports import write_pages
from kronosforge.cli.train import needs_torch
from kronosforge.config import ModelConfig
from kronosforge.core.i18n import tr
from kronosforge.workspace.discovery import find_root
from kronosforge.workspace.loading import environment, load_config
from kronosforge.workspace.overrides import KNOBS, resolve
from kronosforge.workspace.paths import EVALUATION, model_folder

EVERY_S = 0.5  # between two live lines

# metric → heads, factor, decimals
COLUMNS = {
    "crps": (("CRPS %", "CRPS %"), 100, 3),
    "mae": (("MAE %", "MAE %"), 100, 3),
    "mase": (("MASE", "MASE"), 1, 2),
    "hit": (("direction %", "方向命中 %"), 100, 1),
    "ic": (("IC", "IC"), 1, 3),
    "rank_ic": (("RankIC", "RankIC"), 1, 3),
    "coverage_90": (("in 90 %", "90 % 区间内"), 100, 1),
}


def run(arguments: Namespace) -> int:
    """Judge the model and print what was found. No edge is an outcome, not an error."""
    needs_torch(tr("evaluating", "评估"))
    root = find_root(script=arguments.script)
    flags = {knob.flag: getattr(arguments, knob.flag.strip("-").replace("-", "_"), None) for knob in KNOBS}
    config = resolve(load_config(arguments.config, root), flags, environment(root)).config
    if arguments.folds is not None:
        from kronosforge.cli.walk_forward import walk  # noqa: PLC0415 - loads torch

        walk(arguments, config, Path(root))
    else:
        _evaluate(arguments, config, Path(root))
    write_pages([config], Path(root), quiet=arguments.json)
    return 0


def _evaluate(arguments: Namespace, config: ModelConfig, root: Path) -> None:
    from kronosforge.evaluate import evaluate  # noqa: PLC0415 - loads torch

    found = evaluate(config, root, models=arguments.models, progress=counting(config.name), force=arguments.force)
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        _print(found, model_folder(root, config.name) / EVALUATION)


def _print(found: dict[str, Any], path: Path) -> None:
    if found["verdict"]:
        print_verdict(found["verdict"])
    print(origins(found["origins"], found["horizon"]))
    heads = [tr("forecast", "预测"), *(tr(*head) for head, _, _ in COLUMNS.values())]
    print_table(heads, [[name, *_cells(told["pooled"])] for name, told in found["models"].items()])
    if found["backtest"]:
        _print_backtest(found["backtest"])
    for note in found["notes"]:
        print(tr(note["en"], note["zh"]))
    print(path)


def print_verdict(verdict: dict[str, Any]) -> None:
    """The sentence, marked."""
    print("✅" if verdict["promote"] else "⚖️", tr(verdict["sentence"]["en"], verdict["sentence"]["zh"]))


def origins(counts: dict[str, Any], horizon: int) -> str:
    """How many forecasts, when, and how many are left out."""
    return tr(
        f"{counts['judged']} forecasts of {horizon} bars, {counts['first']} to {counts['last']}; "
        f"{counts['possibly_seen']} more may have been seen in pretraining, and are left out",
        f"{counts['judged']} 次预测,每次 {horizon} 根,{counts['first']} 至 {counts['last']};"
        f"另有 {counts['possibly_seen']} 次可能在预训练中见过,未计入",
    )


def _cells(pooled: dict[str, dict[str, float | None]]) -> list[str]:
    return [cell(pooled[metric], metric) for metric in COLUMNS]


def cell(told: dict[str, float | None], metric: str) -> str:
    """An estimate as the column of `metric` has it."""
    return _cell(told, *COLUMNS[metric][1:])


def _cell(told: dict[str, float | None], factor: float, places: int) -> str:
    """`0.412 [0.391, 0.433]`, without the interval where there is none, `–` where there is nothing."""
    value, low, high = (None if part is None else f"{factor * part:.{places}f}" for part in told.values())
    if value is None:
        return "–"
    return value if low is None else f"{value} [{low}, {high}]"


def _print_backtest(told: dict[str, Any]) -> None:
    print(tr(told["label"]["en"], told["label"]["zh"]))
    heads = [("bar", "周期"), ("follows", "依据"), ("how", "方式"), ("return %", "收益 %"), ("Sharpe", "夏普")]
    heads += [("drawdown %", "回撤 %"), ("turnover", "换手")]
    rows = [
        [code, name, kind, 100 * one["return"], _cell(one["sharpe"], 1, 2), 100 * one["drawdown"], one["turnover"]]
        for code, bar in told["bars"].items()
        for name, kinds in bar["strategies"].items()
        for kind, one in kinds.items()
    ]
    print_table([tr(*head) for head in heads], rows)


def counting(name: str) -> Callable[[int, int], None]:
    """Tells of forecasts done and of all, in a live line."""
    begin, tell = time.monotonic(), live()

    def show(done: int, total: int) -> None:
        left = (time.monotonic() - begin) / done * (total - done)
        line = tr(
            f"{name}: {done} of {total} forecasts, {left:.0f} s left",
            f"{name}:已完成 {done}/{total} 次预测,剩余 {left:.0f} 秒",
        )
        tell(line, done == total)

    return show


def live() -> Callable[[str, bool], None]:
    """Writes a line over the one before, now and then, on a terminal; nothing elsewhere. True ends it."""
    last = time.monotonic()

    def tell(line: str, ends: bool) -> None:
        nonlocal last
        now = time.monotonic()
        if sys.stderr.isatty() and (ends or now - last >= EVERY_S):
            last = now
            print(f"\r\x1b[2K{line}", end="\n" if ends else "", file=sys.stderr, flush=True)

    return tell
