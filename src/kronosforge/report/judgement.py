"""The page's part on evaluation: scores with intervals and the baselines beside, calibration, examples, backtest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kronosforge.core.bars import instant
from kronosforge.core.i18n import Text
from kronosforge.report.figures import Axis, Figures, Mark, Trace, finite
from kronosforge.report.html import (
    Column,
    Html,
    both,
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
from kronosforge.report.model import START, TUNED, Json, Model, dig
from kronosforge.report.sections import MOST_ROWS

NAMES = {
    TUNED: Text("fine-tuned", "微调后"),
    START: Text("start checkpoint", "起始检查点"),
    "last price": Text("last price", "最后价格"),
    "drift": Text("drift", "漂移"),
    "seasonal naive": Text("seasonal naive", "季节性朴素"),
    "random walk": Text("random walk", "随机游走"),
    "buy and hold": Text("buy and hold", "买入并持有"),
}
UNTRAINED = Text("untrained start", "未训练的起点")
COLOURS = {TUNED: "train", START: "val", "random walk": "test"}
WHICH = {"best": Text("The best", "最佳"), "median": Text("The median", "中位"), "worst": Text("The worst", "最差")}


class Metric(NamedTuple):
    """A column: evaluation.json's key, its head, and how its numbers are written."""

    key: str
    head: Text
    places: int
    factor: float = 1


SCORES = [
    Metric("crps", Text("CRPS %", "CRPS %"), 3, 100),
    Metric("mae", Text("MAE %", "MAE %"), 3, 100),
    Metric("mase", Text("MASE", "MASE"), 2),
    Metric("hit", Text("Direction %", "方向命中 %"), 1, 100),
    Metric("ic", Text("IC", "IC"), 3),
    Metric("rank_ic", Text("RankIC", "RankIC"), 3),
]
DIFFERENCES = [SCORES[0]._replace(places=1), SCORES[1]._replace(places=1), SCORES[3]]
ACROSS = [
    Metric("ic_across", Text("IC across series", "截面 IC"), 3),
    Metric("rank_ic_across", Text("RankIC across series", "截面 RankIC"), 3),
]
PATHS = [
    Metric("coverage_50", Text("In 50 %", "50 % 区间内"), 1, 100),
    Metric("coverage_80", Text("In 80 %", "80 % 区间内"), 1, 100),
    Metric("coverage_90", Text("In 90 %", "90 % 区间内"), 1, 100),
    Metric("vol_predicted", Text("Volatility forecast %", "预测波动率 %"), 3, 100),
    Metric("vol_realised", Text("Realised %", "实际波动率 %"), 3, 100),
    Metric("vol_ic", Text("Volatility IC", "波动率 IC"), 3),
    Metric("drift_bias", Text("Drift bias %", "漂移偏差 %"), 3, 100),
    Metric("gap", Text("First gap %", "首根跳空 %"), 3, 100),
    Metric("violations", Text("Broken candles %", "无效K线 %"), 2, 100),
]


def judgement(model: Model, figures: Figures) -> Html:
    """All that evaluation.json tells, or one sentence on why there is nothing to tell."""
    told = model.evaluation
    if not told:
        missing = (
            say(
                "The evaluation is of other weights or data than those here; judge again:",
                "评估对应的权重或数据已变;请重新评估:",
            )
            if model.outdated
            else say("Not evaluated yet; it is done with", "尚未评估;运行")
        )
        line = command(f"kronosforge evaluate --config {model.name}")
        return section("evaluation", say("Evaluation", "评估"), paragraph(missing), line)
    parts = [paragraph(_origins(told)), _scores(told), _differences(told), _paths(told), _per_series(told), _seen(told)]
    parts += [note(words(one)) for one in told.get("notes", [])]
    return join(
        [
            section("evaluation", say("Evaluation", "评估"), *parts),
            _calibration(told, figures),
            _examples(told, figures),
            _backtest(told),
        ]
    )


def name_of(told: Json, key: str) -> Text:
    """A forecaster's name for people."""
    if key == START and dig(told, "provenance", "models", START, "untrained"):
        return UNTRAINED
    return NAMES.get(key, Text(key, key))


def estimate(told: Any, metric: Metric) -> Html:
    """A number, its interval below it."""
    value, low, high = (decimal(dig(told, key), metric.places, metric.factor) for key in ("value", "low", "high"))
    return Html(f"{value}<small>[{low}, {high}]</small>") if finite(dig(told, "low")) else value


def _origins(told: Json) -> Html:
    counts, horizon = told.get("origins", {}), told.get("horizon", "–")
    judged, seen = counts.get("judged", 0), counts.get("possibly_seen", 0)
    level = decimal(dig(told, "provenance", "settings", "level"), 0, 100)
    span = join([when(counts.get("first")), when(counts.get("last"))], " → ")
    counted = both(
        Html(
            f"{judged:,} forecasts of {horizon} bars each on the test split, {span}; below each mean its {level} % interval."
        ),
        Html(f"在测试集上共 {judged:,} 次预测,每次 {horizon} 根,{span};均值下方为 {level} % 区间。"),
    )
    more = say(
        f"{seen:,} more may have been seen in pretraining, and judge nothing.",
        f"另有 {seen:,} 次可能在预训练中见过,不参与结论。",
    )
    return join([counted, *([more] if seen else [])], " ")


def _forecasters(told: Json) -> Iterator[tuple[str, Html, Json]]:
    for key, one in told.get("models", {}).items():
        yield key, _name(told, key), dig(one, "pooled") or {}


def _name(told: Json, key: str) -> Html:
    name = name_of(told, key)
    return say(name.en, name.zh)


def _columns(head: Text, metrics: Iterable[Metric]) -> list[Column]:
    return [Column(say(head.en, head.zh), "key"), *(Column(say(m.head.en, m.head.zh), "n") for m in metrics)]


FORECAST = Text("Forecast", "预测")


def _scores(told: Json) -> Html:
    across = any(finite(dig(pooled, ACROSS[0].key, "value")) for _, _, pooled in _forecasters(told))
    return _table(told, SCORES + (ACROSS if across else []))


def _table(told: Json, metrics: Sequence[Metric]) -> Html:
    rows = [[name, *(estimate(pooled.get(m.key), m) for m in metrics)] for _, name, pooled in _forecasters(told)]
    return table(_columns(FORECAST, metrics), rows)


def _differences(told: Json) -> Html:
    """The fine-tuned model less each other, with a mark where the interval is clear of zero."""
    found = dig(told, "differences", TUNED) or {}
    if not found:
        return Html("")
    rows = [
        [_name(told, other), *(_difference(dig(each, m.key), m) for m in DIFFERENCES)] for other, each in found.items()
    ]
    heading = say("The fine-tuned model less each other, paired", "微调模型减去各对照(配对)")
    legend = say(
        "CRPS and MAE in per cent of the other's. ✓ better, ✗ worse: the interval is clear of zero.",
        "CRPS 与 MAE 以对方的百分比表示。✓ 更好,✗ 更差:区间不含零。",
    )
    return join([Html(f"<h3>{heading}</h3>"), table(_columns(Text("Less", "减去"), DIFFERENCES), rows), note(legend)])


def _difference(told: Any, metric: Metric) -> Html:
    low, high = dig(told, "low"), dig(told, "high")
    if not finite(low) or not finite(high) or low <= 0 <= high:
        return estimate(told, metric)
    good = (low > 0) == (metric.key == "hit")
    return Html(f'<b class="{"clear" if good else "worse"}">{"✓" if good else "✗"}</b> {estimate(told, metric)}')


def _paths(told: Json) -> Html:
    return folded(say("Paths: coverage, volatility, bias", "路径:覆盖率、波动率、偏差"), _table(told, PATHS))


def _per_series(told: Json) -> Html:
    """CRPS of each forecaster, and the fine-tuned model's direction and IC, by series."""
    models = told.get("models", {})
    crps, *_, hit, ic, _ = SCORES
    asked = [(key, crps, name_of(told, key)) for key in models]
    asked += [
        (key, m, Text(f"{m.head.en}, {key}", f"{m.head.zh},{key}")) for key in models if key == TUNED for m in (hit, ic)
    ]
    columns = [Column(say("Series", "序列"), "key"), *(Column(say(head.en, head.zh), "n") for _, _, head in asked)]
    series = list(dict.fromkeys(s for one in models.values() for s in dig(one, "series") or {}))
    rows = [
        [code(s), *(estimate(dig(models[key], "series", s, m.key), m) for key, m, _ in asked)]
        for s in series[:MOST_ROWS]
    ]
    return folded(say("By series: CRPS %", "分序列:CRPS %"), table(columns, rows))


def _seen(told: Json) -> Html:
    """Windows that published weights may have seen."""
    seen = told.get("possibly_seen")
    if not isinstance(seen, Mapping):
        return Html("")
    rows = [[_name(told, key), *(estimate(dig(pooled, m.key), m) for m in SCORES)] for key, pooled in seen.items()]
    heading = say("Windows possibly seen in pretraining, which judge nothing", "可能在预训练中见过的窗口,不参与结论")
    return folded(heading, table(_columns(FORECAST, SCORES), rows))


def _calibration(told: Json, figures: Figures) -> Html:
    """Coverage against what was promised, and the histogram of the PIT."""
    spread = {key: found for key, one in told.get("models", {}).items() if dig(found := dig(one, "calibration"), "pit")}
    if not spread:
        return Html("")
    named = [(name_of(told, key), COLOURS.get(key, "muted"), found) for key, found in spread.items()]
    bins = len(named[0][2]["pit"])
    ideal = Text("ideal", "理想")
    coverage = [Trace(name, "dots", colour, *_covered(found)) for name, colour, found in named]
    pit = [Trace(name, "bar", colour, _middles(found["pit"]), found["pit"]) for name, colour, found in named]
    parts = [
        figures.add(
            say("Coverage", "覆盖率"),
            say("Below the dotted line: the fan is narrower than it should be.", "低于虚线:预测区间过窄。"),
            Text("Observed against nominal coverage of the central intervals.", "中心区间的实际与名义覆盖率。"),
            [*coverage, Trace(ideal, "dash", "ink", [0, 1], [0, 1])],
            [Axis(Text("share inside", "落入比例"))],
            x=Text("nominal share", "名义比例"),
        ),
        figures.add(
            say("PIT histogram", "PIT 直方图"),
            say("Flat is calibrated; a U is too narrow, a hump too wide.", "平坦为校准;U 形过窄,拱形过宽。"),
            Text("Histogram of the probability integral transform.", "概率积分变换直方图。"),
            [*pit, Trace(ideal, "dash", "ink", [0, 1], [1 / bins, 1 / bins])],
            [Axis(Text("share of bars", "K线占比"))],
            x=Text("where the price fell in the forecast", "实际价格在预测分布中的位置"),
        ),
    ]
    return section("calibration", say("Calibration", "校准"), Html(f'<div class="pair">{join(parts)}</div>'))


def _covered(calibration: Json) -> tuple[list[float], list[float]]:
    pairs = [(level, share) for level, share in dig(calibration, "coverage") or [] if finite(level) and finite(share)]
    return [level for level, _ in pairs], [share for _, share in pairs]


def _middles(bins: Sequence[float]) -> list[float]:
    return [(i + 0.5) / len(bins) for i in range(len(bins))]


def _examples(told: Json, figures: Figures) -> Html:
    drawn = [_example(told, one, figures) for one in told.get("examples", [])]
    if not drawn:
        return Html("")
    said = say(
        "Chosen by rule, not by eye: the lowest, the median and the highest CRPS of all forecasts.",
        "按规则而非人工挑选:所有预测中 CRPS 最低、居中与最高者。",
    )
    return section("examples", say("Three forecasts", "三个预测示例"), paragraph(said), *drawn)


def _example(told: Json, one: Json, figures: Figures) -> Html:
    """History, what came, and the fan; all of them start from the last known close."""
    which = WHICH.get(one.get("which", ""), Text("", ""))
    (then, past), (later, came) = (
        [dig(one, part, key) or [] for key in ("time", "close")] for part in ("history", "ahead")
    )
    fan, time, close = one.get("quantiles", {}), [*then[-1:], *later], past[-1:]
    levels = sorted(fan, key=float)
    bands = [
        Trace(_share(low, high), kind, "train", time, [*close, *fan[low]], [*close, *fan[high]])
        for kind, low, high in zip(("band", "core"), levels, reversed(levels), strict=False)
        if float(low) < 0.5
    ]
    lines = [Trace(Text("median", "中位数"), "line", "train", time, [*close, *fan["0.5"]])] if "0.5" in fan else []
    name = name_of(told, str(one.get("model")))
    caption = [say(name.en, name.zh), join([say("from", "始于"), when(one.get("origin"))], " ")]
    caption.append(Html(f"CRPS {decimal(one.get('crps'), 3, 100)} %"))
    origin = [Mark(instant(one["origin"]), Text("last known", "最后已知"))] if one.get("origin") else []
    return figures.add(
        join([say(which.en, which.zh), code(one.get("series", ""))], " "),
        join(caption, " · "),
        Text("A forecast's fan, and what came.", "预测扇形图与实际走势。"),
        [
            *bands,
            *lines,
            Trace(Text("history", "历史"), "line", "muted", then, past),
            Trace(Text("what came", "实际"), "line", "ink", time, [*close, *came]),
        ],
        [Axis(Text("close", "收盘价"))],
        marks=origin,
    )


def _share(low: str, high: str) -> Text:
    words = f"{100 * (float(high) - float(low)):g} %"
    return Text(words, words)


RETURN = Metric("return", Text("Return %", "收益 %"), 1, 100)
SHARPE = Metric("sharpe", Text("Sharpe", "夏普"), 2)
DRAWDOWN = Metric("drawdown", Text("Drawdown %", "回撤 %"), 1, 100)
TURNOVER = Metric("turnover_per_year", Text("Turnover a year", "年换手"), 1)


def _backtest(told: Json) -> Html:
    found = told.get("backtest")
    if not isinstance(found, Mapping):
        return Html("")
    columns = [
        *(Column(say(*pair)) for pair in (("Bar", "周期"), ("Follows", "依据"), ("How", "方式"))),
        *(Column(say(m.head.en, m.head.zh), "n") for m in (RETURN, SHARPE, DRAWDOWN, TURNOVER)),
        Column(say("Holdings", "持仓次数"), "n"),
        Column(say("Span", "区间")),
    ]
    rows = [
        [
            code(bar), _name(told, follows), text(how), decimal(one.get("return"), 1, 100), estimate(one.get("sharpe"), SHARPE),
            decimal(one.get("drawdown"), 1, 100), decimal(one.get("turnover_per_year"), 1), number(each.get("holdings", 0)),
            join([when(each.get("from")), when(each.get("to"))], " → "),
        ]
        for bar, each in found.get("bars", {}).items()
        for follows, kinds in each.get("strategies", {}).items()
        for how, one in kinds.items()
    ]  # fmt: skip
    costs = [decimal(found.get(key), 1) for key in ("fee_bps", "slippage_bps")]
    said = say(
        f"Fee {costs[0]} and slippage {costs[1]} basis points on every change.",
        f"每次换仓手续费 {costs[0]}、滑点 {costs[1]} 个基点。",
    )
    return section(
        "backtest", say("Backtest", "回测"), paragraph(words(found.get("label", ""))), table(columns, rows), note(said)
    )
