"""The end of the page: what the dataset is made of, and the commands that check it and make it again."""

import json
import shlex
from collections.abc import Sequence

from kronosforge.report.html import Column, Html, code, command, folded, join, paragraph, say, section, table, text
from kronosforge.report.sections import Summary, series_of


def provenance(summary: Summary) -> Html:
    """What the dataset is made of, and the commands that make it again and check it."""
    config = json.dumps(summary.get("config", {}), indent=2, ensure_ascii=False)
    return section(
        "provenance",
        say("Provenance"),
        Html(f"<h3>{say('Fingerprint')}</h3>"),
        paragraph(code(summary.get("fingerprint", ""))),
        _files(summary),
        Html(f"<h3>{say('Check it: run here, beside this file')}</h3>"),
        command("kronosforge verify ."),
        Html(f"<h3>{say('Make it again')}</h3>"),
        command(reproduce(summary)),
        Html(f"<h3>{say('Made with')}</h3>"),
        paragraph(versions(summary)),
        folded(say("Resolved config"), Html(f'<pre class="scroll" tabindex="0">{text(config)}</pre>')),
    )


def _files(summary: Summary) -> Html:
    columns = [
        Column(say("File"), "key"),
        Column(say("MB"), "n"),
        Column(Html("SHA-256")),
    ]
    return table(
        columns,
        [
            [code(file["filename"]), _megabytes(file.get("size_mb", "")), code(file.get("sha256", ""))]
            for file in summary.get("files", [])
        ],
    )


def versions(holder: Summary) -> Html:
    """Of the programs that made what `holder` tells of."""
    return join((Html(f"{text(name)} {code(v)}") for name, v in holder.get("versions", {}).items()), " · ")


def reproduce(summary: Summary) -> str:
    """The command that gives the same candles again: the newest N bars are fixed by the clock they were asked at."""
    config, source = summary.get("config", {}), summary.get("source", {})
    since = config.get("since")
    options: dict[str, Sequence[object]] = {
        "--config": [config.get("name")],
        "--source": [source.get("name")],
        **_series_asked(list(series_of(summary))),
        "--records-per-timeframe": [None if since else summary.get("records_per_timeframe")],
        "--since": [since],
        "--until": [config.get("until") or source.get("clock")],
    }
    given = (f"{flag} {shlex.join(map(str, values))}" for flag, values in options.items() if all(values))
    return " ".join(("kronosforge prepare", *given))


def _series_asked(keys: Sequence[str]) -> dict[str, Sequence[object]]:
    """The flags that name `keys`, where flags can: every instrument at every bar. Other lists stand in the config."""
    pairs = [key.rpartition("_")[::2] for key in keys]
    instruments, codes = (list(dict.fromkeys(names)) for names in zip(*pairs, strict=True)) if pairs else ([], [])
    every = [(instrument, code) for instrument in instruments for code in codes]
    return {"--symbols": instruments, "--timeframes": codes} if pairs == every else {}


def _megabytes(size: object) -> Html:
    return text(f"{size:.2f}" if isinstance(size, float) else size)
