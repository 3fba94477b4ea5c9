"""What the page says, part by part, in the data's order. Reads the summary; a key that is absent leaves its line out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kronosforge.report.charts import MOST_HOLES, SeriesChart
from kronosforge.report.html import (
    Column,
    Html,
    code,
    facts,
    join,
    number,
    paragraph,
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

SPLITS = {"train": say("train"), "val": say("validation"), "test": say("test")}

# What cleaning did, the most interfering first, and why bars are missing: the words of clean's findings and holes.
ACTIONS = {
    "dropped": say("taken out"),
    "derived": say("turnover computed again"),
    "filled": say("filled"),
    "cut": say("series cut there"),
    "kept": say("kept"),
}
HOLES = {
    "venue": say("the source has none"),
    "removed": say("broken bars stood there"),
    "dead": say("a long stretch without trade"),
}

_SERIES = Column(say("Series"), "key")
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
    return section("asked", say("What was asked"), facts(_asked(summary)))


def _asked(summary: Summary) -> Iterator[tuple[Html, Html]]:
    config, source, window = (summary.get(name, {}) for name in ("config", "source", "window"))
    yield say("Model"), text(summary.get("model_name", ""))
    if config.get("description"):
        yield say("Description"), text(config["description"])
    instruments = dict.fromkeys(key.rpartition("_")[0] for key in series_of(summary))
    yield say("Instruments"), _named(list(instruments))
    yield say("Bars"), join(map(code, summary.get("timeframes", [])), " ")
    yield say("Span"), _span_asked(summary, config)
    if source:
        origin = source.get("name", ""), source.get("url")
        yield say("Source"), join(map(code, filter(None, origin)), " ")
        yield say("Its clock"), when(source.get("clock"))
    if window:
        lookback, predict, bars = (int(window[name]) for name in ("lookback", "predict", "bars"))
        yield (
            say("Window"),
            say(
                "{lookback} seen + {predict} forecast + 1 = {bars} bars", lookback=lookback, predict=predict, bars=bars
            ),
        )


def _named(names: Sequence[str]) -> Html:
    return join([*map(code, names[:MOST_CHARTS]), rest(len(names), MOST_CHARTS)], " ")


def rest(count: int, shown: int) -> Html:
    """How many are not shown."""
    more = count - shown
    return say("and {value:,} more", value=more) if more > 0 else Html("")


def _span_asked(summary: Summary, config: Mapping[str, Any]) -> Html:
    if config.get("since"):
        until = when(config["until"]) if config.get("until") else say("the newest finished bar")
        return join([when(config["since"]), until], " → ")
    records = int(summary.get("records_per_timeframe", 0))
    newest = say("the newest {records:,} bars of each series", records=records)
    if not config.get("until"):
        return newest
    before = when(config["until"])
    return join([newest, say("before {before}", before=before)], " ")


def charts(drawn: Sequence[SeriesChart], summary: Summary) -> Html:
    """A figure per drawn series, and the key to what they show."""
    series = series_of(summary)
    left_out = len(series) - len(drawn)
    note = (
        paragraph(
            say(
                "{count} of {count2:,} series are drawn; the tables below hold all of them.",
                count=len(drawn),
                count2=len(series),
            ),
            "note",
        )
        if left_out > 0
        else Html("")
    )
    figures = join(_figure(i, chart, series.get(chart.key, {})) for i, chart in enumerate(drawn))
    return section("series", say("Series"), note, _LEGEND, figures)


_LEGEND_ITEMS = join(
    Html(f'<li><i class="{kind}"></i>{label}</li>')
    for kind, label in {**SPLITS, "up": say("rising"), "down": say("falling"), "hole": say("gap")}.items()
)
_LEGEND = Html(f'<ul class="legend">{_LEGEND_ITEMS}</ul>')


def _figure(index: int, chart: SeriesChart, one: Mapping[str, Any]) -> Html:
    bars, bar = chart.bars_per_candle, chart.key.rpartition("_")[2]
    rows = int(one.get("rows", 0))
    holes = len(chart.holes)
    each = (
        say("each candle is one bar")
        if bars == 1
        else say("each candle shows up to {bars} bars", bars=bars)
        if holes
        else say("each candle shows {bars} bars", bars=bars)
    )
    parts = [
        say("{rows:,} bars of {bar}", rows=rows, bar=bar),
        join([when(one.get("first")), when(one.get("last"))], " → "),
        Html(f'<span class="each" data-bars="{bars}">{each}</span>'),
    ]
    if holes:
        parts.append(say("gaps: {count:,}", count=holes) + _holes_drawn(holes))
    return Html(
        f"<figure><figcaption><h3>{text(chart.key)}</h3><p>{join(parts, ' · ')}</p></figcaption>"
        f'<output class="reading" aria-live="off" id="reading-{index}"></output>'
        f'<div class="chart" id="chart-{index}" data-index="{index}"></div></figure>'
    )


def _holes_drawn(holes: int) -> Html:
    return say(", the longest {most_holes} marked", most_holes=MOST_HOLES) if holes > MOST_HOLES else Html("")


def windows(summary: Summary) -> Html:
    """Windows per split, and where they are cut."""
    return section("windows", say("Windows"), *windows_of(summary))


def windows_of(summary: Summary) -> tuple[Html, Html]:
    """The cuts, and windows per split of every series, with the bars that are in none."""
    columns = [
        _SERIES,
        Column(say("Bars"), "n"),
        Column(say("Segments"), "n"),
        *_NUMBER.values(),
        Column(say("Bars in no window"), "n"),
        Column(say("First")),
        Column(say("Last")),
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
        say("all"),
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
        say(
            "Training ends at {train} and validation at {val}, for every series alike; no window crosses a cut or a gap.",
            train=train,
            val=val,
        )
    )


def findings(summary: Summary) -> Html:
    """What was found in the candles and what was done about it, then how many values were not the exchange's own."""
    found = findings_of(summary)
    columns = [
        _SERIES,
        Column(say("Finding"), "wide"),
        Column(say("Count"), "n"),
        Column(say("What was done"), "wide"),
        Column(say("Examples"), "wide"),
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
    body = [table(columns, rows), _cut_short(len(found))] if rows else [paragraph(say("None."))]
    return section("findings", say("Findings"), *body, _origins(summary))


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
        return paragraph(say("Every value is the source's own."))
    columns = [
        _SERIES,
        Column(say("As the source sent it"), "n"),
        Column(say("Turnover derived"), "n"),
        Column(say("Filled over a hole"), "n"),
    ]
    said = say(
        "Bars with values that are not the source's own: turnover derived as volume × mean(open, "
        "high, low, close), or flat bars with volume 0."
    )
    return join([paragraph(said), table(columns, rows)])


def holes(summary: Summary) -> Html:
    """Every missing stretch, and whose fault it is."""
    every = [(key, hole) for key, one in series_of(summary).items() for hole in one.get("holes", [])]
    columns = [
        _SERIES,
        Column(say("From")),
        Column(say("Until")),
        Column(say("Bars"), "n"),
        Column(say("Kind"), "wide"),
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
    body = [table(columns, rows), _cut_short(len(every))] if rows else [paragraph(say("None."))]
    return section("holes", say("Holes"), *body)


def _cut_short(count: int) -> Html:
    if count <= MOST_ROWS:
        return Html("")
    return paragraph(
        say(
            "The first {most_rows} of {count:,}; all of them are in data_summary.json.",
            most_rows=MOST_ROWS,
            count=count,
        ),
        "note",
    )
