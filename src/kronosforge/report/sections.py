"""What the page says, part by part, in the data's order. Reads the summary; a key that is absent leaves its line out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kronosforge.report.charts import MOST_HOLES, SeriesChart
from kronosforge.report.html import (
    Column,
    Html,
    both,
    code,
    facts,
    join,
    number,
    paragraph,
    plural,
    say,
    section,
    table,
    text,
    when,
    words,
)

Summary = Mapping[str, Any]

MOST_CHARTS = 12  # a page of a hundred charts opens slowly and is read by nobody
MOST_ROWS = 200  # of findings, and of holes

SPLITS = {"train": say("train", "训练"), "val": say("validation", "验证"), "test": say("test", "测试")}

# What cleaning did, the most interfering first, and why bars are missing: the words of clean's findings and holes.
ACTIONS = {
    "dropped": say("taken out", "去除"),
    "derived": say("turnover computed again", "重新推算成交额"),
    "filled": say("filled", "补齐"),
    "cut": say("series cut there", "在此切分"),
    "kept": say("kept", "保留"),
}
HOLES = {
    "venue": say("the source has none", "数据源没有"),
    "removed": say("broken bars stood there", "此处K线有误，已去除"),
    "dead": say("a long stretch without trade", "长时间没有成交"),
}

_SERIES = Column(say("Series", "序列"), "key")
_NUMBER = {name: Column(head, "n") for name, head in SPLITS.items()}


def series_of(summary: Summary) -> Mapping[str, Any]:
    """The summary's series, by key, in the order of the config."""
    series: Mapping[str, Any] = summary.get("series", {})
    return series


def findings_of(summary: Summary) -> list[tuple[str, Mapping[str, Any]]]:
    """(series key, finding): what was interfered with most first, then the most frequent."""
    found = [(key, finding) for key, one in series_of(summary).items() for finding in one.get("findings", [])]
    gravity = {action: rank for rank, action in enumerate(ACTIONS)}
    return sorted(found, key=lambda pair: (gravity.get(pair[1]["action"], 0), -pair[1]["count"]))


def asked(summary: Summary) -> Html:
    """What the run was asked for."""
    return section("asked", say("What was asked", "任务"), facts(_asked(summary)))


def _asked(summary: Summary) -> Iterator[tuple[Html, Html]]:
    config, source, window = (summary.get(name, {}) for name in ("config", "source", "window"))
    yield say("Model", "模型"), text(summary.get("model_name", ""))
    if config.get("description"):
        yield say("Description", "说明"), text(config["description"])
    instruments = dict.fromkeys(key.rpartition("_")[0] for key in series_of(summary))
    yield say("Instruments", "合约"), _named(list(instruments))
    yield say("Bars", "周期"), join(map(code, summary.get("timeframes", [])), " ")
    yield say("Span", "区间"), _span_asked(summary, config)
    if source:
        origin = source.get("name", ""), source.get("url")
        yield say("Source", "数据源"), join(map(code, filter(None, origin)), " ")
        yield say("Its clock", "交易所时钟"), when(source.get("clock"))
    if window:
        lookback, predict, bars = (int(window[name]) for name in ("lookback", "predict", "bars"))
        yield (
            say("Window", "窗口"),
            say(
                f"{lookback} seen + {predict} forecast + 1 = {bars} bars",
                f"{lookback} 根已知 + {predict} 根预测 + 1 = {bars} 根",
            ),
        )


def _named(names: Sequence[str]) -> Html:
    return join([*map(code, names[:MOST_CHARTS]), rest(len(names), MOST_CHARTS)], " ")


def rest(count: int, shown: int) -> Html:
    """How many are not shown."""
    more = count - shown
    return say(f"and {more:,} more", f"以及另外 {more:,} 项") if more > 0 else Html("")


def _span_asked(summary: Summary, config: Mapping[str, Any]) -> Html:
    if config.get("since"):
        until = when(config["until"]) if config.get("until") else say("the newest finished bar", "最新已收盘K线")
        return join([when(config["since"]), until], " → ")
    records = int(summary.get("records_per_timeframe", 0))
    newest = say(f"the newest {records:,} bars of each series", f"每个序列最新的 {records:,} 根")
    if not config.get("until"):
        return newest
    before = when(config["until"])
    return join([newest, both(Html(f"before {before}"), Html(f"截至 {before}"))], " ")


def charts(drawn: Sequence[SeriesChart], summary: Summary) -> Html:
    """A figure per drawn series, and the key to what they show."""
    series = series_of(summary)
    left_out = len(series) - len(drawn)
    note = (
        paragraph(
            say(
                f"{len(drawn)} of {len(series):,} series are drawn; the tables below hold all of them.",
                f"共 {len(series):,} 个序列，图中展示 {len(drawn)} 个；下方表格包含全部。",
            ),
            "note",
        )
        if left_out > 0
        else Html("")
    )
    figures = join(_figure(i, chart, series.get(chart.key, {})) for i, chart in enumerate(drawn))
    return section("series", say("Series", "序列"), note, _LEGEND, figures)


_LEGEND = Html(
    '<ul class="legend">'
    + join(Html(f'<li><i class="{name}"></i>{label}</li>') for name, label in SPLITS.items())
    + f'<li><i class="up"></i>{say("rising", "上涨")}</li><li><i class="down"></i>{say("falling", "下跌")}</li>'
    + f'<li><i class="hole"></i>{say("hole", "缺口")}</li></ul>'
)


def _figure(index: int, chart: SeriesChart, one: Mapping[str, Any]) -> Html:
    bars, bar = chart.bars_per_candle, chart.key.rpartition("_")[2]
    rows = int(one.get("rows", 0))
    holes = len(chart.holes)
    each = (
        say(
            f"each candle shows {'up to ' * bool(holes)}{bars} bars", f"每根蜡烛合并{'至多 ' * bool(holes)}{bars} 根K线"
        )
        if bars > 1
        else say("each candle is one bar", "每根蜡烛即一根K线")
    )
    parts = [
        say(f"{rows:,} bars of {bar}", f"{rows:,} 根 {bar}"),
        join([when(one.get("first")), when(one.get("last"))], " → "),
        Html(f'<span class="each" data-bars="{bars}">{each}</span>'),
    ]
    if holes:
        parts.append(Html(say(plural(holes, "hole"), f"{holes:,} 个缺口") + _holes_drawn(holes)))
    return Html(
        f"<figure><figcaption><h3>{text(chart.key)}</h3><p>{join(parts, ' · ')}</p></figcaption>"
        f'<output class="reading" aria-live="off" id="reading-{index}"></output>'
        f'<div class="chart" id="chart-{index}" data-index="{index}"></div></figure>'
    )


def _holes_drawn(holes: int) -> Html:
    return (
        say(f", the longest {MOST_HOLES} marked", f"（标出最长的 {MOST_HOLES} 个）") if holes > MOST_HOLES else Html("")
    )


def windows(summary: Summary) -> Html:
    """Windows per split, and where they are cut."""
    return section("windows", say("Windows", "窗口"), *windows_of(summary))


def windows_of(summary: Summary) -> tuple[Html, Html]:
    """The cuts, and windows per split of every series, with the bars that are in none."""
    columns = [
        _SERIES,
        Column(say("Bars", "根数"), "n"),
        Column(say("Segments", "连续段"), "n"),
        *_NUMBER.values(),
        Column(say("Bars in no window", "未入窗口"), "n"),
        Column(say("First", "首根")),
        Column(say("Last", "末根")),
    ]
    series = series_of(summary)
    rows = [
        [
            code(key),
            number(one.get("rows", 0)),
            number(one.get("segments", 0)),
            *(number(one.get("windows", {}).get(name, 0)) for name in SPLITS),
            number(one.get("bars_in_no_window", 0)),
            when(one.get("first")),
            when(one.get("last")),
        ]
        for key, one in series.items()
    ]
    total = [
        say("all", "合计"),
        number(sum(one.get("rows", 0) for one in series.values())),
        number(sum(one.get("segments", 0) for one in series.values())),
        *(number(summary.get("windows", {}).get(name, 0)) for name in SPLITS),
        number(sum(one.get("bars_in_no_window", 0) for one in series.values())),
        Html(""),
        Html(""),
    ]
    return _cuts(summary), table(columns, rows, total)


def _cuts(summary: Summary) -> Html:
    cuts = summary.get("cuts", {})
    train, val = when(cuts.get("train_end")), when(cuts.get("val_end"))
    return paragraph(
        both(
            Html(
                f"Training ends at {train} and validation at {val}, for every series alike; "
                "no window crosses a cut or a hole."
            ),
            Html(f"训练截止 {train}，验证截止 {val}，所有序列一致；任何窗口都不跨越分割点或缺口。"),
        )
    )


def findings(summary: Summary) -> Html:
    """What was found in the candles and what was done about it, then how many values were not the exchange's own."""
    found = findings_of(summary)
    columns = [
        _SERIES,
        Column(say("Finding", "发现"), "wide"),
        Column(say("Count", "数量"), "n"),
        Column(say("What was done", "处理"), "wide"),
        Column(say("Examples", "示例"), "wide"),
    ]
    rows = [
        [
            code(key),
            sentence(finding),
            number(finding["count"]),
            _in_words(finding.get("action", ""), ACTIONS),
            join(map(code, finding.get("examples", [])), "<br>"),
        ]
        for key, finding in found[:MOST_ROWS]
    ]
    body = [table(columns, rows), _cut_short(len(found))] if rows else [paragraph(say("None.", "无。"))]
    return section("findings", say("Findings", "发现"), *body, _origins(summary))


def sentence(finding: Mapping[str, Any]) -> Html:
    return words(finding.get("text", finding["kind"]))


def _in_words(name: str, table: Mapping[str, Html]) -> Html:
    return table.get(name, text(name))


def _origins(summary: Summary) -> Html:
    rows = [
        [code(key), *(number(one["origins"].get(name, 0)) for name in ("exchange", "derived", "filled"))]
        for key, one in series_of(summary).items()
        if one.get("origins", {}).get("derived") or one.get("origins", {}).get("filled")
    ]
    if not rows:
        return paragraph(say("Every value is the source's own.", "所有数值均为数据源原值。"))
    columns = [
        _SERIES,
        Column(say("As the source sent it", "数据源原值"), "n"),
        Column(say("Turnover derived", "成交额推算"), "n"),
        Column(say("Filled over a hole", "缺口填补"), "n"),
    ]
    said = say(
        "Bars with values that are not the source's own: turnover derived as volume × mean(open, high, low, close), "
        "or flat bars with volume 0.",
        "含非原始数值的K线：成交额按 成交量 × (开+高+低+收)/4 推算，或以成交量为 0 的平盘K线填补。",
    )
    return join([paragraph(said), table(columns, rows)])


def holes(summary: Summary) -> Html:
    """Every missing stretch, and whose fault it is."""
    every = [(key, hole) for key, one in series_of(summary).items() for hole in one.get("holes", [])]
    columns = [
        _SERIES,
        Column(say("From", "起")),
        Column(say("Until", "止")),
        Column(say("Bars", "根数"), "n"),
        Column(say("Kind", "类别"), "wide"),
    ]
    rows = [
        [
            code(key),
            when(hole["start"]),
            when(hole["stop"]),
            number(hole.get("bars", 0)),
            _in_words(hole.get("kind", ""), HOLES),
        ]
        for key, hole in every[:MOST_ROWS]
    ]
    body = [table(columns, rows), _cut_short(len(every))] if rows else [paragraph(say("None.", "无。"))]
    return section("holes", say("Holes", "缺口"), *body)


def _cut_short(count: int) -> Html:
    if count <= MOST_ROWS:
        return Html("")
    return paragraph(
        say(
            f"The first {MOST_ROWS} of {count:,}; all of them are in data_summary.json.",
            f"仅列出 {count:,} 条中的前 {MOST_ROWS} 条；完整列表见 data_summary.json。",
        ),
        "note",
    )
