"""A model's page, and the page that links the workspace's models side by side."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from kronosforge.config import TrainConfig
from kronosforge.core.evaluation_record import evaluate_command
from kronosforge.core.files import write_atomic
from kronosforge.core.i18n import Message
from kronosforge.core.names import HEADLINES
from kronosforge.core.verdict import State, state_of
from kronosforge.report.dataset import MOST_ROWS, SPLITS, reproduce, windows_of
from kronosforge.report.evaluation import CRPS, HIT, Comparison, comparison, evaluation, walk_forward
from kronosforge.report.figures import Figures, finite
from kronosforge.report.html import page
from kronosforge.report.model import Model, Run, dig, models_of, read_model
from kronosforge.report.training import Ends, ends, training
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


class Verdict(NamedTuple):
    """How a model stands, in one sentence, in a few words, and how that is coloured."""

    kind: str
    sentence: object  # a message, or the text of the evaluation in both languages
    headline: Message


class ModelRow(NamedTuple):
    """A model in the table of all models."""

    title: str
    page: str  # its address, "" where it has none
    headline: Message
    windows: list[int]  # of each split; empty without a dataset
    learnt: list[Ends | None]  # of each stage
    comparison: Comparison


def write_model_report(root: Path, model: str, dataset: Path | None = None) -> Path:
    """Write outputs/reports/<model>/report.html of the workspace `root`, atomically, and return it.

    It shows what the stages left; a part whose JSON is absent is left out with a sentence. `dataset`: the folder of the
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
    stages = list(training(model, figures))
    judged = evaluation(model, figures)
    settings = {stage: run.facts for stage, run in model.runs.items()}
    settings["evaluate"] = dig(model.evaluation, "provenance", "settings")
    dataset, fingerprint = model.dataset / REPORT, model.summary.get("fingerprint")
    return page(
        "model.html",
        model.title,
        Message("Kronos model"),
        back="../index.html",
        draw="figures.js" if figures.specs else "",
        data={"figures": figures.specs},
        model=model,
        verdict=verdict(model),
        damaged=[(path, reason, _remedy(model, path)) for path, reason in model.damaged.items()],
        windows=windows_of(model.summary),
        dataset_page=address(dataset, folder) if dataset.is_file() else "",
        foreign_stages=[stage for stage, run in model.runs.items() if run.facts.get("dataset") != fingerprint],
        stages=stages,
        untrained=[stage for stage in HEADLINES if stage not in model.runs],
        most_rows=MOST_ROWS,
        **judged,
        **walk_forward(model),
        checkpoints=[
            ((model_folder(Path(), model.name) / stage / BEST / file).as_posix(), digest)
            for stage, run in model.runs.items()
            for file, digest in run.digests.items()
        ],
        commands=_commands(model),
        settings=json.dumps({key: value for key, value in settings.items() if value}, indent=2, ensure_ascii=False),
    )


def render_fleet(models: Sequence[Model], folder: Path) -> str:
    """The page that stands in `folder`: a row a model."""
    return page(
        "models.html",
        Message("Models"),
        Message("Kronos models"),
        models=[_row(model, folder) for model in models],
        promoted=sum(state_of(dig(model.evaluation, "verdict")) is State.EDGE for model in models),
        metrics={"crps": CRPS, "hit": HIT},
    )


def verdict(model: Model) -> Verdict:
    """What the evaluation concluded, or how far the model is."""
    record = dig(model.evaluation, "verdict")
    if record:
        sentence = dig(record, "sentence") or ""
        if state_of(record) is State.EDGE:
            return Verdict("good", sentence, Message("Promoted"))
        keeps = Message("No edge: keep the start") if dig(record, "keep") else Message("No edge")
        return Verdict("calm", sentence, keeps)
    message = _progress(model)
    return Verdict("look", message, message)


def address(target: Path, folder: Path) -> str:
    """The address of `target` on a page in `folder`."""
    return quote(Path(os.path.relpath(target, folder)).as_posix())


def _progress(model: Model) -> Message:
    """How far the model is."""
    if model.evaluation:
        return Message("Evaluated without a comparison: no verdict")
    if model.outdated:
        return Message("Changed since the evaluation: no verdict for the present weights and data")
    if model.trained:
        return Message("Trained, not evaluated yet")
    return Message("Training is not finished") if model.runs else Message("Not trained yet")


def _remedy(model: Model, path: Path) -> str:
    """The command that recreates the damaged file at `path`; "" where there is none."""
    if path.name != EVALUATION:
        return ""
    if path.parent.name == model.name:
        return evaluate_command(model.name, "--force")
    folds = sum(folder.name.isdecimal() for folder in path.parent.iterdir()) if path.parent.is_dir() else 0
    return evaluate_command(model.name, "--folds", str(folds or "K"))


def _commands(model: Model) -> list[str]:
    """What makes it all again."""
    lines = [reproduce(model.summary)] if model.summary else []
    stages = {stage: _train(model.name, run) for stage, run in model.runs.items()}
    alike = len(stages) == len(HEADLINES) and len(set(stages.values())) == 1
    lines += [f"{line} --stage {'both' if alike else stage}" for stage, line in stages.items()][: 1 if alike else None]
    settings = {f"--{key}": dig(model.evaluation, "provenance", "settings", key) for key in ("stride", "samples")}
    flags = [f"{flag} {value}" for flag, value in settings.items() if value is not None]
    evaluate = " ".join(["kronosforge evaluate --config", shlex.quote(model.name), *flags])
    folds = dig(model.walk, "provenance", "folds")
    return [*lines, evaluate, *([f"{evaluate} --folds {folds}"] if folds else [])]


def _train(name: str, run: Run) -> str:
    """The command that trains again; only what is not the default is named."""
    given = {key: run.facts.get(key) for key in FLAGS}
    arguments: list[Any] = []
    for key, value in given.items():
        if value is not None and value != TrainConfig.model_fields[key].default:
            arguments += [f"--{key.replace('_', '-')}", *([] if value is True else [value])]
    return f"kronosforge train --models {shlex.join(map(str, [name, *arguments]))}"


def _row(model: Model, folder: Path) -> ModelRow:
    path = folder / model.name / REPORT
    windows = [dig(model.summary, "windows", split) for split in SPLITS]
    runs = ((model.runs.get(stage), key) for stage, key in HEADLINES.items())
    return ModelRow(
        model.title,
        address(path, folder) if path.is_file() else "",
        verdict(model).headline,
        windows if all(map(finite, windows)) else [],
        [ends(run, key) if run else None for run, key in runs],
        comparison(model.evaluation, model.evaluation),
    )
