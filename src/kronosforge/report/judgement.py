"""The page's part on evaluation: scores with intervals and the baselines beside, calibration, examples, backtest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kronosforge.core.bars import instant
from kronosforge.core.i18n import Message
from kronosforge.core.names import START, TUNED
from kronosforge.report.figures import Axis, Figures, Mark, Trace, finite
from kronosforge.report.html import (
    Column,
    Html,
    code,
    command,
    decimal,
    folded,
    join,
    note,
    number,
    paragraph,
    say,
    section,
    table,
    text,
    when,
    words,
)  # fmt: skip
from kronosforge.report.model import Json, Model, dig
from kronosforge.report.sections import MOST_ROWS

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


SCORES = [
    Metric("crps", Message("CRPS %"), 3, 100),
    Metric("mae", Message("MAE %"), 3, 100),
    Metric("mase", Message("MASE"), 2),
    Metric("hit", Message("Direction %"), 1, 100),
    Metric("ic", Message("IC"), 3),
    Metric("rank_ic", Message("RankIC"), 3),
]
DIFFERENCES = [SCORES[0]._replace(places=1), SCORES[1]._replace(places=1), SCORES[3]]
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


def judgement(model: Model, figures: Figures) -> Html:
    """All that evaluation.json tells, or one sentence on why there is nothing to tell."""
    evaluation = model.evaluation
    if not evaluation:
        missing = (
            say("The evaluation is of other weights or data than those here; judge again:")
            if model.outdated
            else say("Not evaluated yet; it is done with")
        )
        line = command(f"kronosforge evaluate --config {model.name}")
        return section("evaluation", say("Evaluation"), paragraph(missing), line)
    parts = [
        paragraph(_origins(evaluation)),
        _scores(evaluation),
        _differences(evaluation),
        _paths(evaluation),
        _per_series(evaluation),
        _seen(evaluation),
    ]
    parts += [note(words(entry)) for entry in evaluation.get("notes", [])]
    return join(
        [
            section("evaluation", say("Evaluation"), *parts),
            _calibration(evaluation, figures),
            _examples(evaluation, figures),
            _backtest(evaluation),
        ]
    )


def name_of(evaluation: Json, key: str) -> Message:
    """A forecaster's name for people."""
    if key == START and dig(evaluation, "provenance", "models", START, "untrained"):
        return UNTRAINED
    return NAMES.get(key, Message("{name}", name=key))


def estimate(interval: Any, metric: Metric) -> Html:
    """A number, its interval below it."""
    value, low, high = (decimal(dig(interval, key), metric.places, metric.factor) for key in ("value", "low", "high"))
    return Html(f"{value}<small>[{low}, {high}]</small>") if finite(dig(interval, "low")) else value


def _origins(evaluation: Json) -> Html:
    counts, horizon = evaluation.get("origins", {}), evaluation.get("horizon", "–")
    judged, seen = counts.get("judged", 0), counts.get("possibly_seen", 0)
    level = decimal(dig(evaluation, "provenance", "settings", "level"), 0, 100)
    span = join([when(counts.get("first")), when(counts.get("last"))], " → ")
    counted = say(
        "{judged:,} forecasts of {horizon} bars each on the test split, {span}; below each mean its {level} % interval.",
        judged=judged,
        horizon=horizon,
        span=span,
        level=level,
    )
    excluded = say("{seen:,} more may have been seen in pretraining, and judge nothing.", seen=seen)
    return join([counted, *([excluded] if seen else [])], " ")


def _forecasters(evaluation: Json) -> Iterator[tuple[str, Html, Json]]:
    for key, scores in evaluation.get("models", {}).items():
        yield key, _name(evaluation, key), dig(scores, "pooled") or {}


def _name(evaluation: Json, key: str) -> Html:
    name = name_of(evaluation, key)
    return say(name)


def _columns(head: Message, metrics: Iterable[Metric]) -> list[Column]:
    return [Column(say(head), "key"), *(Column(say(m.head), "n") for m in metrics)]


FORECAST = Message("Forecast")


def _scores(evaluation: Json) -> Html:
    across = any(finite(dig(pooled, ACROSS[0].key, "value")) for _, _, pooled in _forecasters(evaluation))
    return _table(evaluation, SCORES + (ACROSS if across else []))


def _table(evaluation: Json, metrics: Sequence[Metric]) -> Html:
    rows = [[name, *(estimate(pooled.get(m.key), m) for m in metrics)] for _, name, pooled in _forecasters(evaluation)]
    return table(_columns(FORECAST, metrics), rows)


def _differences(evaluation: Json) -> Html:
    """The fine-tuned model less each other, with a mark where the interval is clear of zero."""
    differences = dig(evaluation, "differences", TUNED) or {}
    if not differences:
        return Html("")
    rows = [
        [_name(evaluation, other), *(_difference(dig(each, m.key), m) for m in DIFFERENCES)]
        for other, each in differences.items()
    ]
    heading = say("The fine-tuned model less each other, paired")
    legend = say("CRPS and MAE in per cent of the other's. ✓ better, ✗ worse: the interval is clear of zero.")
    return join([Html(f"<h3>{heading}</h3>"), table(_columns(Message("Less"), DIFFERENCES), rows), note(legend)])


def _difference(interval: Any, metric: Metric) -> Html:
    low, high = dig(interval, "low"), dig(interval, "high")
    if not finite(low) or not finite(high) or low <= 0 <= high:
        return estimate(interval, metric)
    good = (low > 0) == (metric.key == "hit")
    return Html(f'<b class="{"clear" if good else "worse"}">{"✓" if good else "✗"}</b> {estimate(interval, metric)}')


def _paths(evaluation: Json) -> Html:
    return folded(say("Paths: coverage, volatility, bias"), _table(evaluation, PATHS))


def _per_series(evaluation: Json) -> Html:
    """CRPS of each forecaster, and the fine-tuned model's direction and IC, by series."""
    models = evaluation.get("models", {})
    crps, *_, hit, ic, _ = SCORES
    asked = [(key, crps, name_of(evaluation, key)) for key in models]
    asked += [
        (key, m, Message("{metric}, {model}", metric=m.head, model=key))
        for key in models
        if key == TUNED
        for m in (hit, ic)
    ]
    columns = [Column(say("Series"), "key"), *(Column(say(head), "n") for _, _, head in asked)]
    series = list(dict.fromkeys(s for scores in models.values() for s in dig(scores, "series") or {}))
    rows = [
        [code(s), *(estimate(dig(models[key], "series", s, m.key), m) for key, m, _ in asked)]
        for s in series[:MOST_ROWS]
    ]
    return folded(say("By series: CRPS %"), table(columns, rows))


def _seen(evaluation: Json) -> Html:
    """Windows that published weights may have seen."""
    seen = evaluation.get("possibly_seen")
    if not isinstance(seen, Mapping):
        return Html("")
    rows = [
        [_name(evaluation, key), *(estimate(dig(pooled, m.key), m) for m in SCORES)] for key, pooled in seen.items()
    ]
    heading = say("Windows possibly seen in pretraining, which judge nothing")
    return folded(heading, table(_columns(FORECAST, SCORES), rows))


def _calibration(evaluation: Json, figures: Figures) -> Html:
    """Coverage against what was promised, and the histogram of the PIT."""
    models = evaluation.get("models", {}).items()
    spread = {key: calibration for key, scores in models if dig(calibration := dig(scores, "calibration"), "pit")}
    if not spread:
        return Html("")
    named = [(name_of(evaluation, key), COLOURS.get(key, "muted"), calibration) for key, calibration in spread.items()]
    bins = len(named[0][2]["pit"])
    ideal = Message("ideal")
    coverage = [Trace(name, "dots", colour, *_covered(calibration)) for name, colour, calibration in named]
    pit = [
        Trace(name, "bar", colour, _middles(calibration["pit"]), calibration["pit"])
        for name, colour, calibration in named
    ]
    parts = [
        figures.add(
            say("Coverage"),
            say("Below the dotted line: the fan is narrower than it should be."),
            Message("Observed against nominal coverage of the central intervals."),
            [*coverage, Trace(ideal, "dash", "ink", [0, 1], [0, 1])],
            [Axis(Message("share inside"))],
            x=Message("nominal share"),
        ),
        figures.add(
            say("PIT histogram"),
            say("Flat is calibrated; a U is too narrow, a hump too wide."),
            Message("Histogram of the probability integral transform."),
            [*pit, Trace(ideal, "dash", "ink", [0, 1], [1 / bins, 1 / bins])],
            [Axis(Message("share of bars"))],
            x=Message("where the price fell in the forecast"),
        ),
    ]
    return section("calibration", say("Calibration"), Html(f'<div class="pair">{join(parts)}</div>'))


def _covered(calibration: Json) -> tuple[list[float], list[float]]:
    pairs = [(level, share) for level, share in dig(calibration, "coverage") or [] if finite(level) and finite(share)]
    return [level for level, _ in pairs], [share for _, share in pairs]


def _middles(bins: Sequence[float]) -> list[float]:
    return [(i + 0.5) / len(bins) for i in range(len(bins))]


def _examples(evaluation: Json, figures: Figures) -> Html:
    drawn = [_example(evaluation, example, figures) for example in evaluation.get("examples", [])]
    if not drawn:
        return Html("")
    sentence = say("Chosen by rule, not by eye: the lowest, the median and the highest CRPS of all forecasts.")
    return section("examples", say("Three forecasts"), paragraph(sentence), *drawn)


def _example(evaluation: Json, example: Json, figures: Figures) -> Html:
    """History, what came, and the fan; all of them start from the last known close."""
    which = WHICH.get(example.get("which", ""), FORECAST)
    (then, past), (later, came) = (
        [dig(example, part, key) or [] for key in ("time", "close")] for part in ("history", "ahead")
    )
    fan, time, close = example.get("quantiles", {}), [*then[-1:], *later], past[-1:]
    levels = sorted(fan, key=float)
    bands = [
        Trace(_share(low, high), kind, "train", time, [*close, *fan[low]], [*close, *fan[high]])
        for kind, low, high in zip(("band", "core"), levels, reversed(levels), strict=False)
        if float(low) < 0.5
    ]
    lines = [Trace(Message("median"), "line", "train", time, [*close, *fan["0.5"]])] if "0.5" in fan else []
    name = name_of(evaluation, str(example.get("model")))
    caption = [say(name), join([say("from"), when(example.get("origin"))], " ")]
    caption.append(Html(f"CRPS {decimal(example.get('crps'), 3, 100)} %"))
    origin = [Mark(instant(example["origin"]), Message("last known"))] if example.get("origin") else []
    return figures.add(
        join([say(which), code(example.get("series", ""))], " "),
        join(caption, " · "),
        Message("A forecast's fan, and what came."),
        [
            *bands,
            *lines,
            Trace(Message("history"), "line", "muted", then, past),
            Trace(Message("what came"), "line", "ink", time, [*close, *came]),
        ],
        [Axis(Message("close"))],
        marks=origin,
    )


def _share(low: str, high: str) -> Message:
    return Message("{share:g} %", share=100 * (float(high) - float(low)))


RETURN = Metric("return", Message("Return %"), 1, 100)
SHARPE = Metric("sharpe", Message("Sharpe"), 2)
DRAWDOWN = Metric("drawdown", Message("Drawdown %"), 1, 100)
TURNOVER = Metric("turnover_per_year", Message("Turnover a year"), 1)


def _backtest(evaluation: Json) -> Html:
    backtest = evaluation.get("backtest")
    if not isinstance(backtest, Mapping):
        return Html("")
    columns = [
        *(Column(say(head)) for head in (Message("Bar"), Message("Follows"), Message("How"))),
        *(Column(say(m.head), "n") for m in (RETURN, SHARPE, DRAWDOWN, TURNOVER)),
        Column(say("Holdings"), "n"),
        Column(say("Span")),
    ]
    rows = [
        [
            code(bar), _name(evaluation, follows), text(how), decimal(result.get("return"), 1, 100), estimate(result.get("sharpe"), SHARPE),
            decimal(result.get("drawdown"), 1, 100), decimal(result.get("turnover_per_year"), 1), number(each.get("holdings", 0)),
            join([when(each.get("from")), when(each.get("to"))], " → "),
        ]
        for bar, each in backtest.get("bars", {}).items()
        for follows, kinds in each.get("strategies", {}).items()
        for how, result in kinds.items()
    ]  # fmt: skip
    costs = [decimal(backtest.get(key), 1) for key in ("fee_bps", "slippage_bps")]
    fees = say("Fee {costs} and slippage {costs2} basis points on every change.", costs=costs[0], costs2=costs[1])
    return section(
        "backtest", say("Backtest"), paragraph(words(backtest.get("label", ""))), table(columns, rows), note(fees)
    )
