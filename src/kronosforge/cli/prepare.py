"""`kronosforge prepare`: exchange candles in, a verified Kronos dataset out."""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kronosforge.cli.console import print_table
from kronosforge.core.bars import Series
from kronosforge.core.errors import ExistsError, UsageError
from kronosforge.core.i18n import tr
from kronosforge.workflows.existing import guard
from kronosforge.workflows.fetch import Progress as Report
from kronosforge.workflows.plan import plan
from kronosforge.workflows.prepare import PreparedDataset, prepare
from kronosforge.workspace.discovery import find_root
from kronosforge.workspace.loading import environment, load_config
from kronosforge.workspace.overrides import KNOBS, Resolved, explain, resolve
from kronosforge.workspace.paths import REPORT, DatasetFolders, dataset_folders

PRINTED = ("model_name", "output_directory", "fingerprint", "files", "windows", "warnings", "series")


def run(arguments: Namespace) -> int:
    """Explain, plan or prepare one model."""
    if not arguments.config:
        raise UsageError(
            tr(
                "--config is missing; --list-configs shows the names it takes",
                "缺少 --config;可用 --list-configs 查看名称",
            )
        )
    root = find_root(script=arguments.script)
    environ = environment(root)
    flags = {knob.flag: getattr(arguments, knob.flag.strip("-").replace("-", "_"), None) for knob in KNOBS}
    resolved = resolve(load_config(arguments.config, root), flags, environ)
    kronos = arguments.kronos_dir or environ.get("KRONOS_HOME")
    where = dataset_folders(resolved.config, Path(root), kronos=kronos, copy=not arguments.no_copy)
    if arguments.explain or arguments.dry_run:
        return _preview(arguments, resolved, where, environ)
    return _prepare(arguments, resolved, where, environ)


def _preview(arguments: Namespace, resolved: Resolved, where: DatasetFolders, environ: dict[str, str]) -> int:
    facts: dict[str, Any] = {}
    if arguments.explain:
        rows = explain(resolved)
        facts["knobs"] = [{"key": key, "value": value, "origin": origin} for key, value, origin in rows]
        if not arguments.json:
            print_table([tr("knob", "参数"), tr("value", "值"), tr("from", "来源")], rows)
    if arguments.dry_run:
        facts["plan"] = plan(resolved.config, where, environ)
        if not arguments.json:
            _print_plan(facts["plan"])
    if arguments.json:
        print(json.dumps(facts, ensure_ascii=False))
    return 0


def _print_plan(plan: dict[str, Any]) -> None:
    print(tr("Plan (no network was used, nothing was written)", "计划(未联网,未写入任何文件)"))
    heads = ("series", "from", "to", "bars", "held", "pages", "seconds")
    names = ("序列", "起", "止", "根数", "已有", "页数", "秒")
    rows = [[key, *(facts[head] for head in heads[1:])] for key, facts in plan["series"].items()]
    print_table([tr(*pair) for pair in zip(heads, names, strict=True)], rows)
    print(tr("download at the rate limit:", "按限速下载约需:"), f"{plan['seconds']:.1f} s")
    print(tr("windows expected:", "预计窗口数:"), ", ".join(f"{k} {n}" for k, n in plan["windows"].items()))
    for warning in plan["warnings"]:
        print("⚠", warning)
    for path in plan["writes"]:
        print("  →", path)
    if plan["exists"]:
        print("⚠", plan["exists"])


def _prepare(arguments: Namespace, resolved: Resolved, where: DatasetFolders, environ: dict[str, str]) -> int:
    force = arguments.force or _asked(resolved, where)
    with _progress() as progress:
        done = prepare(resolved.config, where, environ, force=force, progress=progress)
    if arguments.json:
        print(json.dumps({key: done.summary[key] for key in PRINTED}, ensure_ascii=False))
    else:
        _print_done(done)
    return 0


def _asked(resolved: Resolved, where: DatasetFolders) -> bool:
    """True where a person on a terminal agrees to replace the dataset; elsewhere an existing one is refused."""
    try:
        guard(where.dataset, resolved.config, force=False)
    except ExistsError:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        print(
            tr(f"{where.dataset} already holds this model's dataset.", f"{where.dataset} 已有该模型的数据集。"),
            file=sys.stderr,
        )
        print(tr("Replace it? [y/N] ", "覆盖吗?[y/N] "), end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes", "是"):
            raise
        return True
    return False


@contextmanager
def _progress() -> Iterator[Report | None]:
    """A bar per series on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[Series, Any] = {}

        def show(series: Series, present: int, total: int) -> None:
            if series not in tasks:
                tasks[series] = bars.add_task(str(series), total=total)
            bars.update(tasks[series], completed=present)

        yield show


def _print_done(done: PreparedDataset) -> None:
    summary = done.summary
    rows = [
        [
            key,
            facts["rows"],
            facts["first"],
            facts["last"],
            facts["segments"],
            len(facts["holes"]),
            *facts["windows"].values(),
        ]
        for key, facts in summary["series"].items()
    ]
    heads = ["series", "candles", "first", "last", "segments", "holes", "train", "val", "test"]
    names = ["序列", "K线", "首根", "末根", "分段", "空洞", "训练窗口", "验证窗口", "测试窗口"]
    print_table([tr(*pair) for pair in zip(heads, names, strict=True)], rows)
    for key, facts in summary["series"].items():
        for finding in facts["findings"]:
            words, examples = tr(finding["text"]["en"], finding["text"]["zh"]), "; ".join(finding["examples"])
            print(f"  {key}: {finding['count']} × {words}" + f": {examples}" * bool(examples))
    for warning in summary["warnings"]:
        print("⚠", tr(warning["en"], warning["zh"]))
    print(tr("Dataset:", "数据集:"), done.folder, f"({summary['fingerprint'][:12]})")
    print(tr("Report: ", "报告:  "), done.folder / REPORT)
    if done.copy:
        print(tr("Copy for Kronos:", "供 Kronos 使用的副本:"), done.copy)
