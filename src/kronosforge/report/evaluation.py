"""The page's part on evaluation and walk-forward: scores with intervals, calibration, examples, backtest, folds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kronosforge.config import TrainConfig
from kronosforge.core.bars import instant
from kronosforge.core.i18n import Message, MessageList
from kronosforge.core.names import START, TUNED
from kronosforge.core.verdict import State, state_of
from kronosforge.report.dataset import MOST_ROWS
from kronosforge.report.figures import Axis, Figure, Figures, Mark, Trace, finite
from kronosforge.report.model import Json, Model, dig

NAMES = {
    TUNED: Message("fine-tuned"),
    START: Message("start checkpoint"),
    "last price": Message("last price"),
    "drift": Message("drift"),
    "seasonal naive": Message("seasonal naive"),
    "random walk": Message("random walk"),
    "buy and hold": Message("buy and hold"),
}
UNTRAINED = Message("untrained start")
COLOURS = {TUNED: "train", START: "val", "random walk": "test"}
WHICH = {"best": Message("The best"), "median": Message("The median"), "worst": Message("The worst")}


class Metric(NamedTuple):
    """A column: evaluation.json's key, its head, and how its numbers are written."""

    key: str
    head: Message
    places: int
    factor: float = 1


CRPS = Metric("crps", Message("CRPS %"), 3, 100)
MAE = Metric("mae", Message("MAE %"), 3, 100)
HIT = Metric("hit", Message("Direction %"), 1, 100)
IC = Metric("ic", Message("IC"), 3)
SCORES = [CRPS, MAE, Metric("mase", Message("MASE"), 2), HIT, IC, Metric("rank_ic", Message("RankIC"), 3)]
DIFFERENCES = [CRPS._replace(places=1), MAE._replace(places=1), HIT]
ACROSS = [
    Metric("ic_across", Message("IC across series"), 3),
    Metric("rank_ic_across", Message("RankIC across series"), 3),
]
PATHS = [
    Metric("coverage_50", Message("In 50 %"), 1, 100),
    Metric("coverage_80", Message("In 80 %"), 1, 100),
    Metric("coverage_90", Message("In 90 %"), 1, 100),
    Metric("vol_predicted", Message("Volatility forecast %"), 3, 100),
    Metric("vol_realised", Message("Realised %"), 3, 100),
    Metric("vol_ic", Message("Volatility IC"), 3),
    Metric("drift_bias", Message("Drift bias %"), 3, 100),
    Metric("gap", Message("First gap %"), 3, 100),
    Metric("violations", Message("Broken candles %"), 2, 100),
]
SHARPE = Metric("sharpe", Message("Sharpe"), 2)


class Example(NamedTuple):
    """A forecast that is drawn."""

    which: Message
    series: str
    model: Message
    origin: Any
    crps: Any
    figure: Figure


class Comparison(NamedTuple):
    """What the tables of folds and of models show of an evaluation: pooled scores, and whether there is an edge."""

    tuned: Json
    start: Json
    baseline: Json
    baseline_name: Message | None
    edge: bool


def evaluation(model: Model, figures: Figures) -> dict[str, Any]:
    """What the template shows of evaluation.json."""
    record = model.evaluation
    pooled = {key: dig(forecaster, "pooled") or {} for key, forecaster in record.get("models", {}).items()}
    across = any(finite(dig(scores, ACROSS[0].key, "value")) for scores in pooled.values())
    return {
        "evaluation": record,
        "forecasters": named(record, pooled),
        "scores": SCORES + (ACROSS if across else []),
        "paths": PATHS,
        "differences": named(record, dig(record, "differences", TUNED)),
        "differences_metrics": DIFFERENCES,
        "series_columns": _series_columns(record),
        "series_scores": list(_series_scores(record)),
        "possibly_seen": named(record, record.get("possibly_seen")),
        "calibration": _calibration(record, figures),
        "examples": [_example(record, example, figures) for example in record.get("examples", [])],
        "strategies": list(_strategies(record)),
        "sharpe": SHARPE,
        "side": side,
    }


def walk_forward(model: Model) -> dict[str, Any]:
    """What the template shows of folds/evaluation.json."""
    record = model.walk
    folds = [fold for fold in record.get("folds", []) if isinstance(fold, dict)]
    lower = named(record, dig(record, "lower_in"))
    return {
        "walk": record,
        "walk_current": _is_of(record, model),
        "folds": [(fold, comparison(record, fold)) for fold in folds[:MOST_ROWS]],
        "folds_count": len(folds),
        "folds_together": comparison(record, record),
        "folds_lower": MessageList(Message("{name} {count}", name=name, count=count) for name, count in lower),
        "metrics": {"crps": CRPS, "hit": HIT, "ic": IC},
    }


def comparison(record: Json, part: Json) -> Comparison:
    """What `part` of the evaluation `record` says, a fold or the whole."""
    models, best = dig(part, "models"), dig(part, "verdict", "baseline")
    tuned, start, baseline = (dig(models, str(key), "pooled") or {} for key in (TUNED, START, best))
    edge = state_of(dig(part, "verdict")) is State.EDGE
    return Comparison(tuned, start, baseline, name_of(record, best) if best else None, edge)


def named(record: Json, items: Any) -> list[tuple[Message, Any]]:
    """(name for people, item) of items by forecaster; empty where they are no mapping."""
    return [(name_of(record, key), item) for key, item in items.items()] if isinstance(items, Mapping) else []


def name_of(record: Json, key: str) -> Message:
    """A forecaster's name for people."""
    if key == START and dig(record, "provenance", "models", START, "untrained"):
        return UNTRAINED
    return NAMES.get(key, Message("{name}", name=key))


def side(difference: Any, metric: Metric) -> str:
    """`better` or `worse` where the interval of the fine-tuned model's difference is clear of zero, else ""."""
    low, high = dig(difference, "low"), dig(difference, "high")
    if not finite(low) or not finite(high) or low <= 0 <= high:
        return ""
    return "better" if (low > 0) == (metric.key == HIT.key) else "worse"


def _series_columns(record: Json) -> list[Message]:
    """CRPS of each forecaster, and the fine-tuned model's direction and IC."""
    models = record.get("models", {})
    extra = [Message("{metric}, {model}", metric=metric.head, model=TUNED) for metric in (HIT, IC)]
    return [name_of(record, key) for key in models] + (extra if TUNED in models else [])


def _series_scores(record: Json) -> Iterator[tuple[str, list[tuple[Any, Metric]]]]:
    """Series → (score, its metric) for each of the columns."""
    models = record.get("models", {})
    columns = [(key, CRPS) for key in models] + ([(TUNED, HIT), (TUNED, IC)] if TUNED in models else [])
    series = list(dict.fromkeys(key for model in models.values() for key in dig(model, "series") or {}))
    for key in series[:MOST_ROWS]:
        yield key, [(dig(models[model], "series", key, metric.key), metric) for model, metric in columns]


def _calibration(record: Json, figures: Figures) -> tuple[Figure, Figure] | None:
    """Coverage against what was promised, and the histogram of the PIT."""
    forecasters = [
        (name_of(record, key), COLOURS.get(key, "muted"), calibration)
        for key, forecaster in record.get("models", {}).items()
        if dig(calibration := dig(forecaster, "calibration"), "pit")
    ]
    if not forecasters:
        return None
    bins = len(forecasters[0][2]["pit"])
    ideal = Message("ideal")
    coverage = [Trace(name, "dots", colour, *_covered(shares)) for name, colour, shares in forecasters]
    pit = [Trace(name, "bar", colour, _middles(shares["pit"]), shares["pit"]) for name, colour, shares in forecasters]
    return (
        figures.add(
            Message("Observed against nominal coverage of the central intervals."),
            [*coverage, Trace(ideal, "dash", "ink", [0, 1], [0, 1])],
            [Axis(Message("share inside"))],
            x=Message("nominal share"),
        ),
        figures.add(
            Message("Histogram of the probability integral transform."),
            [*pit, Trace(ideal, "dash", "ink", [0, 1], [1 / bins, 1 / bins])],
            [Axis(Message("share of bars"))],
            x=Message("where the price fell in the forecast"),
        ),
    )


def _covered(calibration: Json) -> tuple[list[float], list[float]]:
    pairs = [(level, share) for level, share in dig(calibration, "coverage") or [] if finite(level) and finite(share)]
    return [level for level, _ in pairs], [share for _, share in pairs]


def _middles(bins: Sequence[float]) -> list[float]:
    return [(i + 0.5) / len(bins) for i in range(len(bins))]


def _example(record: Json, example: Json, figures: Figures) -> Example:
    """History, what came, and the fan; all of them start from the last known close."""
    (then, past), (later, came) = (
        [dig(example, part, key) or [] for key in ("time", "close")] for part in ("history", "ahead")
    )
    fan, time, close = example.get("quantiles", {}), [*then[-1:], *later], past[-1:]
    levels = sorted(fan, key=float)
    traces = [
        Trace(_share(low, high), kind, "train", time, [*close, *fan[low]], [*close, *fan[high]])
        for kind, low, high in zip(("band", "core"), levels, reversed(levels), strict=False)
        if float(low) < 0.5
    ]
    if "0.5" in fan:
        traces.append(Trace(Message("median"), "line", "train", time, [*close, *fan["0.5"]]))
    traces.append(Trace(Message("history"), "line", "muted", then, past))
    traces.append(Trace(Message("what came"), "line", "ink", time, [*close, *came]))
    origin = example.get("origin")
    figure = figures.add(
        Message("The fan of a forecast and what happened."),
        traces,
        [Axis(Message("close"))],
        marks=[Mark(instant(origin), Message("last known"))] if origin else [],
    )
    which = WHICH.get(example.get("which", ""), Message("Forecast"))
    model = name_of(record, str(example.get("model")))
    return Example(which, example.get("series", ""), model, origin, example.get("crps"), figure)


def _share(low: str, high: str) -> Message:
    return Message("{share:g} %", share=100 * (float(high) - float(low)))


def _strategies(record: Json) -> Iterator[tuple[str, Message, str, Json, Json]]:
    """(bar, what it follows, how, its results, the bar's results)."""
    for bar, results in (dig(record, "backtest", "bars") or {}).items():
        for follows, kinds in results.get("strategies", {}).items():
            for how, strategy in kinds.items():
                yield bar, name_of(record, follows), how, strategy, results


def _is_of(record: Json, model: Model) -> bool:
    """Whether the folds were trained on the dataset that stands here, and as the model here was trained."""
    asked = dig(record, "provenance", "train") or {}
    alike = all(
        run.facts.get(key) == asked.get(key)
        for run in model.runs.values()
        for key in TrainConfig.model_fields
        if run.facts
    )
    return alike and model.summary.get("fingerprint") in (None, dig(record, "provenance", "dataset"))
