"""A model's page, and the page that links the workspace's models side by side."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from kronosforge.config import TrainConfig
from kronosforge.core.evaluation_record import evaluate_command
from kronosforge.core.files import write_atomic
from kronosforge.core.i18n import Message
from kronosforge.core.names import HEADLINES, START, TUNED
from kronosforge.core.verdict import State, state_of
from kronosforge.report.figures import Figures, finite
from kronosforge.report.html import (
    Column,
    Html,
    code,
    command,
    decimal,
    facts,
    folded,
    join,
    note,
    paragraph,
    say,
    section,
    table,
    text,
    words,
)  # fmt: skip
from kronosforge.report.judgement import SCORES, estimate, judgement, name_of
from kronosforge.report.model import Json, Model, Run, dig, models_of, read_model
from kronosforge.report.provenance import reproduce, versions
from kronosforge.report.sections import SPLITS, windows_of
from kronosforge.report.shell import shell
from kronosforge.report.training import training
from kronosforge.report.verdict import proportions, worst
from kronosforge.report.walk import walk
from kronosforge.workspace.paths import BEST, EVALUATION, REPORT, fleet_page, model_folder, model_page

# What `kronosforge train` takes on the command line; other settings stand in the config.
FLAGS = (
    "init",
    "size",
    "tokenizer",
    "predictor",
    "freeze_tokenizer",
    "lora",
    "epochs",
    "batch_size",
    "precision",
    "seed",
)
NAV = {
    "dataset": say("Dataset"),
    "training": say("Training"),
    "evaluation": say("Evaluation"),
    "calibration": say("Calibration"),
    "examples": say("Examples"),
    "backtest": say("Backtest"),
    "folds": say("Walk-forward"),
    "provenance": say("Provenance"),
}


def write_model_report(root: Path, model: str, dataset: Path | None = None) -> Path:
    """Write outputs/reports/<model>/report.html of the workspace `root`, atomically, and return it.

    It tells what the stages left; a part whose JSON is absent is left out with a sentence. `dataset`: the folder of the
    model's dataset where that is not data/kronos_datasets/<model>. Raises DiskError.
    """
    path = model_page(root, model)
    write_atomic(path, render_model(read_model(root, model, dataset), path.parent).encode())
    return path


def write_fleet_page(root: Path, datasets: Mapping[str, Path] = MappingProxyType({})) -> Path:
    """Write outputs/reports/index.html, all models of the workspace `root` in one table, and return it.

    `datasets`: model → the folder of its dataset, where that may be another than data/kronos_datasets/<model>. Raises DiskError.
    """
    path = fleet_page(root)
    models = [read_model(root, name, datasets.get(name)) for name in sorted({*models_of(root), *datasets})]
    write_atomic(path, render_fleet(models, path.parent).encode())
    return path


def render_model(model: Model, folder: Path) -> str:
    """The page, as it stands in `folder`: links are relative to it."""
    figures = Figures()
    parts = [
        _dataset(model, folder),
        training(model, figures),
        judgement(model, figures),
        walk(model),
        _provenance(model),
    ]
    body = join([damage(model), *parts])
    nav = [(f"#{name}", words) for name, words in NAV.items() if f'<section id="{name}">' in body]
    nav.append(("../index.html", say("All models")))
    kind, sentence = verdict(model)
    top = paragraph(Html(f"<strong>{sentence}</strong>"), f"verdict told {kind}")
    charts = "figures.js" if figures.specs else ""
    return shell(model.title, Message("Kronos model"), top, nav, body, charts=charts, data={"figures": figures.specs})


def verdict(model: Model) -> tuple[str, Html]:
    """How the model stands, in one sentence, and how that is coloured."""
    found = dig(model.evaluation, "verdict")
    if found:
        return "good" if state_of(found) is State.EDGE else "calm", words(dig(found, "sentence") or "")
    if model.evaluation:
        return "look", say("Evaluated, and not compared: no verdict")
    if model.outdated:
        return "look", say("Changed since it was evaluated: no verdict on what stands here")
    if model.trained:
        return "look", say("Trained, not evaluated yet")
    if model.runs:
        return "look", say("Training is not finished")
    return "look", say("Not trained yet")


def damage(model: Model) -> Html:
    """A sentence for each file that cannot be read, with the command that makes it anew where there is one."""
    return join(_damaged(model, path, reason) for path, reason in model.damaged.items())


def _damaged(model: Model, path: Path, reason: Message) -> Html:
    sentence = note(
        say(
            "{name}/{name2} is damaged ({reason}): what it holds is missing on this page",
            name=path.parent.name,
            name2=path.name,
            reason=reason,
        )
    )
    return join([sentence, command(_remedy(model, path))]) if path.name == EVALUATION else sentence


def _remedy(model: Model, path: Path) -> str:
    """The command that makes the evaluation at `path` anew."""
    if path.parent.name == model.name:
        return evaluate_command(model.name, "--force")
    folds = sum(folder.name.isdecimal() for folder in path.parent.iterdir()) if path.parent.is_dir() else 0
    return evaluate_command(model.name, "--folds", str(folds or "K"))


def headline(model: Model) -> Html:
    """The verdict in a few words; what it rests on stands beside it."""
    found = dig(model.evaluation, "verdict")
    if not found:
        return verdict(model)[1]
    if state_of(found) is State.EDGE:
        return say("Promoted")
    return say("No edge: keep the start") if dig(found, "keep") else say("No edge")


def _dataset(model: Model, folder: Path) -> Html:
    """What the model was made of, and where its own page is."""
    heading = say("Dataset")
    if not model.summary:
        sentence = say("There is no finished dataset; it is made with")
        return section("dataset", heading, paragraph(sentence), command(f"kronosforge prepare --config {model.name}"))
    parts = [worst([], model.summary.get("warnings", [])), proportions(model.summary), *windows_of(model.summary)]
    page = model.dataset / REPORT
    if page.is_file():
        where = quote(Path(os.path.relpath(page, folder)).as_posix())
        link = say("The dataset's own page: candles, findings, holes")
        parts.append(paragraph(Html(f'<a href="{text(where)}">{link}</a>')))
    other = [stage for stage, run in model.runs.items() if run.facts.get("dataset") != model.summary.get("fingerprint")]
    if other:
        names = ", ".join(other)
        warning = Message("Trained on another dataset than the one here: {names}.", names=names)
        parts.insert(0, worst([], [warning.both()]))
    return section("dataset", heading, *parts)


def _provenance(model: Model) -> Html:
    """Fingerprints, files, versions, settings, and the commands that make it all again."""
    given = dig(model.evaluation, "provenance") or {}
    marks = [(say("Dataset"), code(model.summary.get("fingerprint", "–")))]
    marks += [
        (say("Trained on ({stage})", stage=stage), code(run.facts.get("dataset", "–")))
        for stage, run in model.runs.items()
    ]
    if model.evaluation:
        marks.append((say("Evaluation"), code(model.evaluation.get("fingerprint", "–"))))
    made = [(say("Prepared with"), versions(model.summary)), (say("Evaluated with"), versions(given))]
    settings = {stage: run.facts for stage, run in model.runs.items()} | {"evaluate": given.get("settings")}
    dumped = json.dumps({key: one for key, one in settings.items() if one}, indent=2, ensure_ascii=False)
    return section(
        "provenance",
        say("Provenance"),
        facts(marks),
        _checkpoints(model),
        Html(f"<h3>{say('Make it again')}</h3>"),
        command("\n".join(_commands(model, given))),
        Html(f"<h3>{say('Made with')}</h3>"),
        *(paragraph(join([label, told], " ")) for label, told in made if told),
        folded(say("Settings"), Html(f'<pre class="scroll" tabindex="0">{text(dumped)}</pre>')),
    )


def _checkpoints(model: Model) -> Html:
    columns = [Column(say("Checkpoint"), "key"), Column(Html("SHA-256"))]
    rows = [
        [code((model_folder(Path(), model.name) / stage / BEST / file).as_posix()), code(digest)]
        for stage, run in model.runs.items()
        for file, digest in run.digests.items()
    ]
    return table(columns, rows) if rows else Html("")


def _commands(model: Model, given: Json) -> list[str]:
    lines = [reproduce(model.summary)] if model.summary else []
    stages = {stage: _train(model.name, run) for stage, run in model.runs.items()}
    alike = len(stages) == len(HEADLINES) and len(set(stages.values())) == 1
    lines += [f"{line} --stage {'both' if alike else stage}" for stage, line in stages.items()][: 1 if alike else None]
    asked = {f"--{key}": dig(given, "settings", key) for key in ("stride", "samples")}
    told = [f"{flag} {value}" for flag, value in asked.items() if value is not None]
    evaluate = " ".join(["kronosforge evaluate --config", shlex.quote(model.name), *told])
    folds = dig(model.walk, "provenance", "folds")
    return [*lines, evaluate, *([f"{evaluate} --folds {folds}"] if folds else [])]


def _train(name: str, run: Run) -> str:
    """The command that trains again; only what is not the default is named."""
    given = {key: run.facts.get(key) for key in FLAGS}
    told: list[Any] = []
    for key, value in given.items():
        if value is not None and value != TrainConfig.model_fields[key].default:
            told += [f"--{key.replace('_', '-')}", *([] if value is True else [value])]
    return f"kronosforge train --models {shlex.join(map(str, [name, *told]))}"


def render_fleet(models: Sequence[Model], folder: Path) -> str:
    """The page that stands in `folder`: a row a model."""
    columns = [
        Column(say("Model"), "key"),
        Column(say("Verdict"), "wrap"),
        Column(say("Windows"), "n"),
        Column(say("Reconstruction"), "n"),
        Column(say("Predictor loss"), "n"),
        Column(say("CRPS %"), "n"),
        Column(say("CRPS %, start"), "n"),
        Column(say("CRPS %, baseline"), "n"),
        Column(say("Direction %"), "n"),
    ]
    promoted = sum(state_of(dig(model.evaluation, "verdict")) is State.EDGE for model in models)
    counts = Message("{count} models, {promoted} promoted", count=len(models), promoted=promoted)
    top = paragraph(Html(f"<strong>{say(counts)}</strong>"), f"verdict {'good' if promoted else 'calm'}")
    body = table(columns, [_row(model, folder) for model in models])
    more = note(
        say(
            "CRPS and direction are of the test split, their intervals below; reconstruction and "
            "loss, before → after, of the validation split."
        )
    )
    return shell("Models", Message("Kronos models"), top, [], join([body, more]))


def _row(model: Model, folder: Path) -> list[Html]:
    crps, hit = SCORES[0], SCORES[3]
    told = model.evaluation
    page = folder / model.name / REPORT
    name = code(model.title)
    best = dig(told, "verdict", "baseline")
    windows = [dig(model.summary, "windows", split) for split in SPLITS]
    of = [dig(told, "models", key, "pooled") for key in (TUNED, START, best)] if told else [None] * 3
    baseline = name_of(told, best) if best else None
    return [
        Html(f'<a href="{text(quote(model.name))}/report.html">{name}</a>') if page.is_file() else name,
        headline(model),
        text(" / ".join(f"{count:,}" for count in windows)) if all(map(finite, windows)) else Html("–"),
        *(_learnt(model.runs.get(stage), key) for stage, key in HEADLINES.items()),
        *(estimate(dig(pooled, "crps"), crps) for pooled in of[:2]),
        join(
            [
                estimate(dig(of[2], "crps"), crps),
                Html(f"<small>{say(baseline)}</small>" if baseline else ""),
            ]
        ),
        estimate(dig(of[0], "hit"), hit),
    ]


def _learnt(run: Run | None, key: str) -> Html:
    if run is None:
        return Html("–")
    before, after = (decimal(run.score(key, epoch), 3) for epoch in (0, run.best))
    return Html(f"{before} → {after}")
