"""How results are printed for people. What --json prints is the result object itself."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronosforge.cli.console import print_table
from kronosforge.core.bars import clock
from kronosforge.core.boundary import print_error
from kronosforge.core.i18n import Message, _, localized
from kronosforge.core.names import START
from kronosforge.core.verdict import State, state_of
from kronosforge.workflows.pages import Pages
from kronosforge.workflows.prepare import PreparedDataset
from kronosforge.workspace.overrides import ExplainedSetting
from kronosforge.workspace.paths import REPORT, SUMMARY

if TYPE_CHECKING:
    from kronosforge.workflows.train import FleetResult

# metric → heads, factor, decimals
METRICS = {
    "crps": ("CRPS %", 100, 3),
    "mae": ("MAE %", 100, 3),
    "mase": ("MASE", 1, 2),
    "hit": (Message("direction %"), 100, 1),
    "ic": ("IC", 1, 3),
    "rank_ic": ("RankIC", 1, 3),
    "coverage_90": (Message("in 90 %"), 100, 1),
}

# keys of a plan and of a training's cost → heads
PLAN = {
    "from": Message("from"),
    "to": Message("to"),
    "bars": Message("bars"),
    "held": Message("held"),
    "pages": Message("pages"),
    "seconds": Message("seconds"),
}
COSTS = {
    "windows": Message("windows"),
    "steps_per_epoch": Message("steps per epoch"),
    "steps": Message("steps"),
    "parameters": Message("parameters"),
    "weights_mb": Message("weights, MB"),
    "memory_mb": Message("memory, MB"),
    "step_s": Message("seconds per step"),
    "seconds": Message("seconds"),
}


def print_settings(rows: Sequence[ExplainedSetting]) -> None:
    """What --explain shows: each setting, its value, and where it came from."""
    print_table([_("setting"), _("value"), _("from")], [(row.key, str(row.value), row.set_by) for row in rows])


def print_plan(plan: Mapping[str, Any]) -> None:
    """What --dry-run shows of a preparation."""
    print(_("Plan (no network was used, nothing was written)"))
    rows = [[key, *(facts[head] for head in PLAN)] for key, facts in plan["series"].items()]
    print_table([_("series"), *map(str, PLAN.values())], rows)
    print(_("download at the rate limit:"), f"{plan['seconds']:.1f} s")
    print(_("windows expected:"), ", ".join(f"{k} {n}" for k, n in plan["windows"].items()))
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
            len(facts["gaps"]),
            *facts["windows"].values(),
        ]
        for key, facts in summary["series"].items()
    ]
    heads = [
        _("series"),
        _("candles"),
        _("first"),
        _("last"),
        _("segments"),
        _("gaps"),
        _("train"),
        _("val"),
        _("test"),
    ]
    print_table(heads, rows)
    for key, facts in summary["series"].items():
        for finding in facts["findings"]:
            text, examples = localized(finding["text"]), "; ".join(finding["examples"])
            print(f"  {key}: {finding['count']} × {text}" + f": {examples}" * bool(examples))
    for warning in summary["warnings"]:
        print("⚠", localized(warning))
    if dataset.kept:
        print(
            _(
                "Kept: this dataset was made with the same settings at {created_at}; use --force to recreate it",
                created_at=summary["created_at"],
            )
        )
    print(_("Dataset:"), dataset.folder, f"({summary['fingerprint'][:12]})")
    print(_("Report: "), dataset.folder / REPORT)
    if dataset.copy:
        print(_("Copy for Kronos:"), dataset.copy)


def print_costs(costs: Mapping[str, Any]) -> None:
    """What --dry-run shows of a training: model → stage → cost."""
    titles = [_("model"), _("stage"), *map(str, COSTS.values())]
    rows = [
        [model, stage, *(f"{facts[h]:.3f}" if h == "step_s" else facts[h] for h in COSTS)]
        for model, stages in costs.items()
        for stage, facts in stages.items()
    ]
    print(_("Plan (nothing was written; steps were measured here)"))
    print_table(titles, rows)
    seconds = sum(facts["seconds"] for stages in costs.values() for facts in stages.values())
    print(_("at most, one after the other:"), f"{clock(seconds)}")


def print_fleet(result: "FleetResult") -> None:
    """How each model's training ended, and where its page is."""
    print("\n".join(result.lines()))
    print(_("Summary:"), result.folder / SUMMARY)
    print_pages(result.pages)


def print_fleet_errors(result: "FleetResult") -> None:
    """On stderr, why each model failed: for --json, whose output is for machines."""
    for model, facts in result.summary["models"].items():
        if facts["error"]:
            print_error(f"{model}, train: {facts['error']}")


def print_forecast(facts: Mapping[str, Any], folder: Path) -> None:
    """A row per series: the last bar, the fan of the close at the horizon, the chance of a rise."""
    shown = {min(facts["quantiles"]), 0.5, max(facts["quantiles"])}
    levels = [level for level in facts["quantiles"] if level in shown]
    rows = [
        [
            key,
            series["origin"],
            series["times"][-1],
            f"{series['last_close']:.6g}",
            *(f"{series['close'][str(level)][-1]:.6g}" for level in levels),
            f"{series['p_up']:.2f}",
            "–" if facts["raw"] else series["violations"]["broken"],
        ]
        for key, series in facts["series"].items()
    ]
    heads = [Message("series"), Message("last bar"), Message("until"), Message("close")]
    print_table([*map(str, heads), *(f"q{level:g}" for level in levels), "P(up)", _("repaired")], rows)
    print(_("Forecast:"), folder)


def print_evaluation(evaluation: Mapping[str, Any], path: Path) -> None:
    """The verdict first, the baselines beside the model."""
    if evaluation["verdict"]:
        print_verdict(evaluation["verdict"])
    print_origins(evaluation)
    heads = [_("forecast"), *(str(head) for head, _factor, _decimals in METRICS.values())]
    rows = [
        [forecaster_name(evaluation, name), *(metric_cell(scores["pooled"][metric], metric) for metric in METRICS)]
        for name, scores in evaluation["models"].items()
    ]
    print_table(heads, rows)
    if evaluation["backtest"]:
        _print_backtest(evaluation)
    for note in evaluation["notes"]:
        print(localized(note))
    print(path)


def print_verdict(verdict: Mapping[str, Any]) -> None:
    """The sentence, marked."""
    print("✅" if state_of(verdict) is State.EDGE else "⚖️", localized(verdict["sentence"]))


def print_origins(evaluation: Mapping[str, Any]) -> None:
    """How many forecasts, when, and, of a model that was pretrained, how many are excluded."""
    counts, horizon = evaluation["origins"], evaluation["horizon"]
    period = Message("{first} to {last}", first=counts["first"], last=counts["last"])
    judged = Message(
        "{judged} forecasts of {horizon} bars, {period}", judged=counts["judged"], horizon=horizon, period=period
    )
    if is_untrained(evaluation, START):
        print(judged)
    else:
        print(
            _(
                "{judged}; excluded, as they may be in the pretraining data: {possibly_seen}",
                judged=judged,
                possibly_seen=counts["possibly_seen"],
            )
        )


def forecaster_name(evaluation: Mapping[str, Any], name: str) -> str:
    """The name of a forecaster for people: random weights were not pretrained."""
    return _("untrained start") if is_untrained(evaluation, name) else name


def is_untrained(evaluation: Mapping[str, Any], name: str) -> bool:
    """Whether the forecaster called `name` has random weights."""
    return bool(evaluation["provenance"].get("models", {}).get(name, {}).get("untrained"))


def metric_cell(estimate: Mapping[str, float | None], metric: str) -> str:
    """An estimate with its interval, as the column of `metric` shows it."""
    return estimate_cell(estimate, *METRICS[metric][1:])


def estimate_cell(estimate: Mapping[str, float | None], factor: float, decimals: int) -> str:
    """`0.412 [0.391, 0.433]`, without the interval where there is none, `–` where there is no value."""
    parts = (estimate[key] for key in ("value", "low", "high"))
    value, low, high = (None if part is None else f"{factor * part:.{decimals}f}" for part in parts)
    if value is None:
        return "–"
    return value if low is None else f"{value} [{low}, {high}]"


def _print_backtest(evaluation: Mapping[str, Any]) -> None:
    backtest = evaluation["backtest"]
    print(localized(backtest["label"]))
    heads = [Message("bar"), Message("follows"), Message("how"), Message("return %"), Message("Sharpe")]
    heads += [Message("drawdown %"), Message("position turnover")]
    rows = [
        [
            code,
            forecaster_name(evaluation, name),
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
    print_table(list(map(str, heads)), rows)


def print_pages(pages: Pages, *, quiet: bool = False) -> None:
    """Where the pages are, unless `quiet`; on stderr, which could not be written and why."""
    for model, reason in pages.failures.items():
        print(_("No report of {model}: {reason}", model=model, reason=reason), file=sys.stderr)
    if not quiet:
        for page in pages.written:
            print(_("Report:"), page)
