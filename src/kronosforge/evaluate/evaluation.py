"""One model, judged: forecasts over the test split, tables, the verdict, and what was promoted."""

import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic

import numpy as np
import numpy.typing as npt
import torch

from kronosforge.config import DatasetConfig, EvaluateConfig, ModelConfig
from kronosforge.core.bars import iso
from kronosforge.core.candles import CLOSE
from kronosforge.core.console import print_notice
from kronosforge.core.digests import fingerprint, json_bytes
from kronosforge.core.errors import DataError, UsageError
from kronosforge.core.evaluation_record import (
    LAYOUT,
    E,
    EvaluationRecord,
    evaluate_command,
    read_evaluation,
    refuse_folder,
    settings_that_differ,
)
from kronosforge.core.files import write_atomic
from kronosforge.core.i18n import Message, _
from kronosforge.core.locks import locked, reading
from kronosforge.core.names import START, TUNED, model_name
from kronosforge.dataset.manifest import finished_manifest
from kronosforge.evaluate.backtest import LABEL, backtest
from kronosforge.evaluate.baselines import baselines
from kronosforge.evaluate.bootstrap import Blocks, Ints, length
from kronosforge.evaluate.gate import decide
from kronosforge.evaluate.judged import Judged
from kronosforge.evaluate.rolling import PRETRAINING_END, Caster, Origins, TestSplit, by_model, roll
from kronosforge.evaluate.tables import as_json, differences, table
from kronosforge.forecast import Forecaster
from kronosforge.forecast.weights import Pair, Trained, fine_tuned, maybe_seen, promote, start, trained
from kronosforge.model.devices import choose
from kronosforge.workspace.paths import EVALUATION, model_folders, workspace_root

MODELS = (TUNED, START)
PACKAGES = ("kronosforge", "torch", "numpy", "scipy", "scoringrules")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TAIL = 3  # horizons of history in an example

Progress = Callable[[int, int], None]

NOTES = [
    Message(
        "Prices are relative to the last known close, so that series are comparable; MAE and CRPS are means over "
        "the horizon. CRPS scores the sampled paths; a point forecast is a single path, so its CRPS is its "
        "absolute error."
    ),
    Message(
        "Forecasts overlap, and series move together: intervals come from a moving-block "
        "bootstrap over time, with all series drawn together; differences are paired, those of "
        "CRPS and MAE as shares of the other's."
    ),
    # Measured on random walks: docs/decisions.md. Source: Stambaugh 1999, Journal of Financial Economics 54(3).
    Message(
        "IC over time flatters forecasts that expect prices to come back: on a random walk it is "
        "about +0.16 with 200 origins and a lookback of 90, and +0.06 with 600, for no skill at "
        "all. The verdict does not rest on it."
    ),
]
SEEN = Message(
    "Windows that begin before {pretraining_end} may have been seen in pretraining: they are reported separately "
    "and excluded from the verdict.",
    pretraining_end=PRETRAINING_END,
)


def evaluate(
    config: ModelConfig,
    root: Path | None = None,
    *,
    models: Sequence[str] = MODELS,
    progress: Progress = lambda done, total: None,
    force: bool = False,
) -> dict[str, Any]:
    """Judge `models` of `config` in the workspace `root` on the test split, beside the baselines; the evaluation as JSON.

    Without `root`, the workspace around the current folder. Written to outputs/models/<model>/evaluation.json, finished
    or absent; with both models it ends with a verdict, and CURRENT names what to use. Equal inputs give equal bytes, and
    are not computed twice unless `force`. Raises DataError without a dataset, where the model was trained on another, or
    where evaluation.json is damaged; ModelError without a model, UsageError.
    """
    folders = model_folders(config, root or workspace_root())
    with reading(folders.dataset, _("the dataset {name}", name=folders.dataset.name)):
        return evaluated(
            config,
            folders.models,
            folders.dataset,
            Kept(folders.models / EVALUATION, EvaluationRecord, evaluate_command(config.name, "--force"), force=force),
            models=list(dict.fromkeys(map(model_name, models))),
            progress=progress,
            finish=partial(promote, folders.models),
        )


@dataclass(frozen=True)
class Kept(Generic[E]):
    """The evaluation of an earlier run, which is kept where its inputs are the same."""

    path: Path
    kind: type[E]
    remedy: str  # the command that replaces it
    force: bool  # replace it in any case
    replace_damaged: bool = False  # with a notice; otherwise a damaged one is an error
    announce: bool = True  # name the settings that differ in one that is replaced

    def read(self, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """The evaluation where it was made from `inputs`; None where there is none that can be kept.

        A notice names the settings that differ, where they were applied to the same dataset. Raises DataError
        where it is damaged, or a folder stands in its place.
        """
        refuse_folder(self.path, self.remedy)
        try:
            record = read_evaluation(self.path, self.kind, self.remedy)
        except DataError as error:
            if not (self.force or self.replace_damaged):
                raise
            if not self.force:
                print_notice(_("{problem}; doing that now", problem=error))
            return None
        if record is None:
            return None
        if record.fingerprint == fingerprint(inputs):
            return None if self.force else record.content
        changes = settings_that_differ(record.provenance.settings, inputs["settings"])
        if self.announce and changes and record.provenance.dataset == inputs["dataset"]:
            print_notice(
                _(
                    "{path} is replaced, as it was made with other settings: {changes}",
                    path=self.path,
                    changes=", ".join(changes),
                )
            )
        return None


def evaluated(
    config: ModelConfig,
    folder: Path,
    dataset: Path,
    kept: Kept[EvaluationRecord],
    *,
    models: Sequence[str] = MODELS,
    progress: Progress = lambda done, total: None,
    scores: Path | None = None,
    finish: Callable[[Mapping[str, Any]], None] = lambda evaluation: None,
) -> dict[str, Any]:
    """`evaluate`, of the model in `folder` on the finished dataset in another, unless the evaluation is `kept`.

    `scores`, if given, is the file for what each origin gave (`Judged`), marked with the evaluation's fingerprint. One
    process at a time evaluates a model; another waits, and takes the finished evaluation where its inputs are the same.
    `finish` is called with the evaluation while no other process can write one.
    """
    data = finished_manifest(dataset, config).fingerprint
    training = _training(config, folder, data, models)
    pairs = {name: fine_tuned(folder, training.rules) if name == TUNED else start(training.rules) for name in models}
    inputs = {
        "schema": LAYOUT,
        "dataset": data,
        "models": {name: pair.facts for name, pair in pairs.items()},
        "settings": config.evaluate.model_dump(mode="json"),
        **surroundings(config),
    }
    identity = fingerprint(inputs)
    with locked(kept.path, _("the evaluation of {name}", name=config.name)):
        evaluation = kept.read(inputs)
        if evaluation is None or not (scores is None or Judged.load(scores, identity)):
            device = _device(config.train.device)
            casters = {name: _caster(pair, device, config.dataset, config.evaluate) for name, pair in pairs.items()}
            body = judge(
                config.evaluate,
                dataset,
                config.dataset,
                casters,
                seen=maybe_seen(training.rules),
                scratch=training.rules.init == "scratch",
                progress=progress,
                keep=partial(Judged.save, path=scores, identity=identity) if scores else None,
            )
            head = {"schema": LAYOUT, "name": config.name, "model_name": config.model_name, "fingerprint": identity}
            evaluation = {**head, **body, "provenance": inputs}
            write_atomic(kept.path, json_bytes(evaluation))
        finish(evaluation)
    return evaluation


def surroundings(config: ModelConfig) -> dict[str, Any]:
    """Of the machine, what figures may depend on."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return {"device": _device(config.train.device).type, "versions": versions}


def judge(
    settings: EvaluateConfig,
    dataset: Path,
    rules: DatasetConfig,
    models: Mapping[str, Caster],
    *,
    seen: bool,
    scratch: bool,
    progress: Progress = lambda done, total: None,
    keep: Callable[[Judged], None] | None = None,
) -> dict[str, Any]:
    """The evaluation of `models`, as casters, without what it takes to find them again. `seen`: published weights.

    `keep` is given what each origin gave.
    """
    test = TestSplit(dataset, rules)
    origins = test.origins(settings.stride)
    naive = baselines(origins.bars, rules.lookback, settings.samples, settings.seed)
    judged = Judged(origins, roll(test, origins, {**models, **naive}, progress))
    if keep:
        keep(judged)
    clean = judged.only(~_early(judged, seen))
    conclusion = conclude(judged, models, rules, settings, seen=seen, scratch=scratch)
    return {
        **conclusion,
        "backtest": _backtest(clean, models, settings),
        "examples": _examples(test, clean, next(iter(models)), models, settings) if models else [],
        "notes": notes(conclusion["origins"]["possibly_seen"]),
    }


def conclude(
    judged: Judged,
    models: Collection[str],
    rules: DatasetConfig,
    settings: EvaluateConfig,
    *,
    seen: bool,
    scratch: bool,
    folds: int = 1,
) -> dict[str, Any]:
    """Tables with intervals, paired differences and the verdict, of what each origin gave in so many `folds`; `models` are
    no baselines."""
    early = _early(judged, seen)
    clean = judged.only(~early)
    blocks = _blocks(clean.origins, rules.predict, settings)
    tables = {name: table(clean.origins, scores, blocks) for name, scores in clean.scores.items()}
    against = {name: differences(clean.origins, clean.scores, name, blocks) for name in models}
    crps = {name: scores["pooled"]["crps"]["value"] for name, scores in tables.items() if name != TUNED}
    compared = {other: metrics["crps"] for other, metrics in against.get(TUNED, {}).items()}
    verdict = decide(crps, compared, level=settings.level, scratch=scratch, folds=folds).both()
    return {
        "verdict": verdict if set(MODELS) <= set(models) else None,
        "lookback": rules.lookback,
        "horizon": rules.predict,
        "origins": _counts(judged.origins, clean.origins, early, blocks),
        "models": {name: {"kind": "model" if name in models else "baseline", **tables[name]} for name in tables},
        "differences": {
            model: {other: as_json(metrics) for other, metrics in others.items()} for model, others in against.items()
        },
        "possibly_seen": _apart(judged.only(early), rules, settings),
    }


def notes(possibly_seen: int) -> list[dict[str, str]]:
    """How to read the figures, as JSON; `possibly_seen` origins are set apart."""
    return [note.both() for note in (*NOTES, *([SEEN] if possibly_seen else []))]


def _early(judged: Judged, seen: bool) -> npt.NDArray[np.bool_]:
    """(N,) the origins that are excluded, because published weights may have seen them."""
    return judged.origins.early if seen else np.zeros(len(judged.origins), bool)


def _training(config: ModelConfig, folder: Path, data: str, models: Sequence[str]) -> Trained:
    """How the model in `folder` was trained, or would be. Raises UsageError for a model that there is not, DataError where it was
    trained on another dataset, whose training bars may be this one's test."""
    if not models or not set(models) <= set(MODELS):
        raise UsageError(_("models is {models}; name one or both of {models2}", models=list(models), models2=MODELS))
    training = trained(folder) or Trained(config.train, data)
    if TUNED in models and training.dataset != data:
        raise DataError(
            _(
                "{name} was trained on dataset {dataset}, and the dataset is now {data}: its test bars "
                "may have been trained on; train again (--force)",
                name=config.name,
                dataset=training.dataset[:12],
                data=data[:12],
            )
        )
    return training


def _device(name: str) -> torch.device:
    return choose(name, float64=True)


def _caster(pair: Pair, device: torch.device, rules: DatasetConfig, settings: EvaluateConfig) -> Caster:
    return by_model(Forecaster(*pair.load(), device=device, clip=rules.clip), settings)


def _blocks(origins: Origins, horizon: int, settings: EvaluateConfig) -> Blocks:
    """Blocks of time that hold whole horizons of the longest bars."""
    instants = len(origins.instants)
    lengths = np.array([bar.length for bar in origins.bars])[origins.of]
    longest = len(np.unique(origins.at[lengths == lengths.max()])) if len(origins) else 1
    size = length(horizon, settings.stride, longest / max(instants, 1), instants, settings.block)
    return Blocks(instants, size, replicates=settings.replicates, level=settings.level, seed=settings.seed)


def _counts(every: Origins, clean: Origins, early: Any, blocks: Blocks) -> dict[str, Any]:
    by_series = {key: int((every.of == j).sum()) for j, key in enumerate(every.series)}
    return {
        "all": len(every),
        "judged": len(clean),
        "possibly_seen": int(early.sum()),
        "series": by_series,
        "first": iso(int(every.instants[0])),
        "last": iso(int(every.instants[-1])),
        "instants": blocks.instants,
        "block": blocks.length,
    }


def _apart(early: Judged, rules: DatasetConfig, settings: EvaluateConfig) -> dict[str, Any] | None:
    """The pooled scores of windows that published weights may have seen; None where there is none."""
    if not len(early.origins):
        return None
    blocks = _blocks(early.origins, rules.predict, settings)
    return {name: table(early.origins, scores, blocks)["pooled"] for name, scores in early.scores.items()}


def _backtest(judged: Judged, models: Mapping[str, Caster], settings: EvaluateConfig) -> dict[str, Any] | None:
    if not len(judged.origins):
        return None
    signals = {name: judged.scores[name].values["signal"] for name in models}
    real = judged.scores[next(iter(models))].values["real"] if models else np.zeros(len(judged.origins))
    costs = {"fee_bps": settings.fee_bps, "slippage_bps": settings.slippage_bps}
    return {"label": LABEL.both(), **costs, "bars": backtest(judged.origins, signals, real, settings)}


def _examples(
    test: TestSplit, judged: Judged, by: str, models: Mapping[str, Caster], settings: EvaluateConfig
) -> list[dict[str, Any]]:
    """The forecasts of `by` with the lowest, the median and the highest CRPS, the earlier where two are equal."""
    order = np.argsort(judged.scores[by].values["crps"], kind="stable")
    chosen = {"best": 0, "median": len(order) // 2, "worst": len(order) - 1} if len(order) else {}
    return [{"which": which, **_example(test, judged, by, models[by], order[[rank]])} for which, rank in chosen.items()]


def _example(test: TestSplit, judged: Judged, by: str, cast: Caster, which: Ints) -> dict[str, Any]:
    """One origin's forecast in prices; it is drawn again, and falls as it did."""
    lookback, ahead = test.read(judged.origins, which)
    last, tail = lookback.candles[0, -1, CLOSE], TAIL * lookback.ahead.shape[1]
    paths = (cast(lookback).close[0] + 1) * last  # (S, H)
    return {
        "model": by,
        "series": lookback.series[0],
        "origin": iso(int(lookback.times[0, -1])),
        "crps": float(judged.scores[by].values["crps"][which[0]]),
        "history": {"time": lookback.times[0, -tail:].tolist(), "close": lookback.candles[0, -tail:, CLOSE].tolist()},
        "ahead": {"time": lookback.ahead[0].tolist(), "close": ahead.candles[0, :, CLOSE].tolist()},
        "quantiles": {f"{q:g}": np.quantile(paths, q, axis=0).tolist() for q in QUANTILES},
    }
