"""How results are printed for people. What --json prints is the result object itself."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronosforge.cli.console import print_table
from kronosforge.core.bars import clock
from kronosforge.core.i18n import tr
from kronosforge.core.verdict import State, state_of
from kronosforge.workflows.fleet import summary_lines
from kronosforge.workflows.pages import Pages
from kronosforge.workflows.prepare import PreparedDataset
from kronosforge.workspace.paths import REPORT

if TYPE_CHECKING:
    from kronosforge.workflows.train import FleetResult

# metric → heads, factor, decimals
METRICS = {
    "crps": (("CRPS %", "CRPS %"), 100, 3),
    "mae": (("MAE %", "MAE %"), 100, 3),
    "mase": (("MASE", "MASE"), 1, 2),
    "hit": (("direction %", "方向命中 %"), 100, 1),
    "ic": (("IC", "IC"), 1, 3),
    "rank_ic": (("RankIC", "RankIC"), 1, 3),
    "coverage_90": (("in 90 %", "90 % 区间内"), 100, 1),
}


def print_settings(rows: Sequence[tuple[str, str, str]]) -> None:
    """What --explain shows: each setting, its value, and where it came from."""
    print_table([tr("setting", "参数"), tr("value", "值"), tr("from", "来源")], rows)


def print_plan(plan: Mapping[str, Any]) -> None:
    """What --dry-run shows of a preparation."""
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


def print_dataset(dataset: PreparedDataset) -> None:
    """A row per series, what cleaning found, warnings, and where the dataset is."""
    summary = dataset.summary
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
            text, examples = tr(finding["text"]["en"], finding["text"]["zh"]), "; ".join(finding["examples"])
            print(f"  {key}: {finding['count']} × {text}" + f": {examples}" * bool(examples))
    for warning in summary["warnings"]:
        print("⚠", tr(warning["en"], warning["zh"]))
    if dataset.kept:
        print(
            tr(
                f"Kept: this dataset was made with the same settings at {summary['created_at']}; --force makes it anew",
                f"已保留:该数据集由相同设置于 {summary['created_at']} 生成;用 --force 重新生成",
            )
        )
    print(tr("Dataset:", "数据集:"), dataset.folder, f"({summary['fingerprint'][:12]})")
    print(tr("Report: ", "报告:  "), dataset.folder / REPORT)
    if dataset.copy:
        print(tr("Copy for Kronos:", "供 Kronos 使用的副本:"), dataset.copy)


def print_costs(costs: Mapping[str, Any]) -> None:
    """What --dry-run shows of a training: model → stage → cost."""
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


def print_fleet(result: "FleetResult") -> None:
    """How each model's training ended, and where its page is."""
    print("\n".join(summary_lines(result.summary)))
    print(tr("Summary:", "汇总:"), result.folder / "summary.json")
    print_pages(result.pages)


def print_forecast(facts: Mapping[str, Any], folder: Path) -> None:
    """A row per series: the last bar, the fan of the close at the horizon, the chance of a rise."""
    low, high = min(facts["quantiles"]), max(facts["quantiles"])
    rows = [
        [
            key,
            series["origin"],
            series["times"][-1],
            f"{series['last_close']:.6g}",
            *(f"{series['close'][str(level)][-1]:.6g}" for level in (low, 0.5, high) if str(level) in series["close"]),
            f"{series['p_up']:.2f}",
            sum(series["violations"].values()),
        ]
        for key, series in facts["series"].items()
    ]
    levels = [f"q{level:g}" for level in (low, 0.5, high) if level in facts["quantiles"]]
    heads = [("series", "序列"), ("last bar", "末根"), ("until", "至"), ("close", "收盘")]
    print_table([*(tr(*pair) for pair in heads), *levels, "P(up)", tr("repaired", "修复")], rows)
    print(tr("Forecast:", "预测:"), folder)


def print_evaluation(evaluation: Mapping[str, Any], path: Path) -> None:
    """The verdict first, the baselines beside the model."""
    if evaluation["verdict"]:
        print_verdict(evaluation["verdict"])
    print_origins(evaluation["origins"], evaluation["horizon"])
    heads = [tr("forecast", "预测"), *(tr(*head) for head, _, _ in METRICS.values())]
    rows = [
        [name, *(metric_cell(scores["pooled"][metric], metric) for metric in METRICS)]
        for name, scores in evaluation["models"].items()
    ]
    print_table(heads, rows)
    if evaluation["backtest"]:
        _print_backtest(evaluation["backtest"])
    for note in evaluation["notes"]:
        print(tr(note["en"], note["zh"]))
    print(path)


def print_verdict(verdict: Mapping[str, Any]) -> None:
    """The sentence, marked."""
    print("✅" if state_of(verdict) is State.EDGE else "⚖️", tr(verdict["sentence"]["en"], verdict["sentence"]["zh"]))


def print_origins(counts: Mapping[str, Any], horizon: int) -> None:
    """How many forecasts, when, and how many are excluded."""
    print(
        tr(
            f"{counts['judged']} forecasts of {horizon} bars, {counts['first']} to {counts['last']}; "
            f"excluded, as they may be in the pretraining data: {counts['possibly_seen']}",
            f"{counts['judged']} 次预测,每次 {horizon} 根,{counts['first']} 至 {counts['last']};"
            f"另有 {counts['possibly_seen']} 次可能在预训练中见过,未计入",
        )
    )


def metric_cell(estimate: Mapping[str, float | None], metric: str) -> str:
    """An estimate with its interval, as the column of `metric` shows it."""
    return estimate_cell(estimate, *METRICS[metric][1:])


def estimate_cell(estimate: Mapping[str, float | None], factor: float, decimals: int) -> str:
    """`0.412 [0.391, 0.433]`, without the interval where there is none, `–` where there is no value."""
    value, low, high = (None if part is None else f"{factor * part:.{decimals}f}" for part in estimate.values())
    if value is None:
        return "–"
    return value if low is None else f"{value} [{low}, {high}]"


def _print_backtest(backtest: Mapping[str, Any]) -> None:
    print(tr(backtest["label"]["en"], backtest["label"]["zh"]))
    heads = [("bar", "周期"), ("follows", "依据"), ("how", "方式"), ("return %", "收益 %"), ("Sharpe", "夏普")]
    heads += [("drawdown %", "回撤 %"), ("turnover", "换手")]
    rows = [
        [
            code,
            name,
            kind,
            100 * result["return"],
            estimate_cell(result["sharpe"], 1, 2),
            100 * result["drawdown"],
            result["turnover"],
        ]
        for code, bar in backtest["bars"].items()
        for name, kinds in bar["strategies"].items()
        for kind, result in kinds.items()
    ]
    print_table([tr(*head) for head in heads], rows)


def print_pages(pages: Pages, *, quiet: bool = False) -> None:
    """Where the pages are, unless `quiet`; on stderr, which could not be written and why."""
    for model, reason in pages.failures.items():
        print(tr(f"No report of {model}: {reason}", f"{model} 没有报告:{reason}"), file=sys.stderr)
    if not quiet:
        for page in pages.written:
            print(tr("Report:", "报告:"), page)
