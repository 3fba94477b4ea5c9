"""One model, judged: forecasts over the test split, tables, the verdict, and what was promoted."""

import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from kronosforge.config import DatasetConfig, EvaluateConfig, ModelConfig
from kronosforge.core.bars import iso
from kronosforge.core.digests import fingerprint, json_bytes
from kronosforge.core.errors import DataError, UsageError
from kronosforge.core.files import write_atomic
from kronosforge.core.i18n import Message, _
from kronosforge.core.locks import locked, reading
from kronosforge.dataset.manifest import finished_manifest
from kronosforge.evaluate.backtest import LABEL, backtest
from kronosforge.evaluate.baselines import baselines
from kronosforge.evaluate.bootstrap import Blocks, Ints, length
from kronosforge.evaluate.checkpoints import Pair, Trained, fine_tuned, maybe_seen, start, trained
from kronosforge.evaluate.gate import START, TUNED, decide
from kronosforge.evaluate.judged import Judged
from kronosforge.evaluate.record import EvaluationRecord, read_evaluation
from kronosforge.evaluate.rolling import CLOSE, PRETRAINING_END, Caster, Origins, TestSplit, by_model, roll
from kronosforge.evaluate.tables import as_json, differences, table
from kronosforge.forecast import Forecaster
from kronosforge.model.devices import choose
from kronosforge.workspace.paths import CURRENT, EVALUATION, model_folders, workspace_root

SCHEMA = 4  # 1: differences of CRPS and MAE as they are, not as shares; 2: freedom of intervals from blocks alone;
# 3: no state and reason of the verdict
MODELS = (TUNED, START)
PACKAGES = ("kronosforge", "torch", "numpy", "scipy", "scoringrules")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TAIL = 3  # horizons of history in an example

Progress = Callable[[int, int], None]

NOTES = [
    Message(
        "Prices are relative to the last known close, so that series are comparable; MAE and "
        "CRPS are means over the horizon. CRPS scores the paths as they are; a point forecast is "
        "one path, and its CRPS is its absolute error."
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
    "Windows that begin before {pretraining_end} may have been seen in pretraining: they are "
    "counted apart and judge nothing.",
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
    are not computed twice unless `force`. Raises DataError without a dataset or where the model was trained on another,
    ModelError without a model, UsageError.
    """
    root = root or workspace_root()
    folders = model_folders(config, root)
    where, dataset = folders.models, folders.dataset
    with reading(dataset, _("the dataset {name}", name=dataset.name)):
        found = evaluated(config, where, dataset, models=models, progress=progress, force=force)
    _point(where, found)
    return found


def evaluated(
    config: ModelConfig,
    where: Path,
    dataset: Path,
    *,
    models: Sequence[str] = MODELS,
    progress: Progress = lambda done, total: None,
    force: bool = False,
    scores: Path | None = None,
) -> dict[str, Any]:
    """`evaluate`, of the model whose folder is `where` on the finished dataset in another; CURRENT is left as it is.

    In `scores`, where it is given, is kept what each origin gave (`Judged`), marked with the evaluation's fingerprint. One
    process at a time evaluates a model; another waits, and takes the finished evaluation where its inputs are the same.
    """
    rules, data = config.dataset, finished_manifest(dataset, config).fingerprint
    made = _made(config, where, data, models)
    pairs = {name: fine_tuned(where, made.rules) if name == TUNED else start(made.rules) for name in models}
    inputs = {
        "schema": SCHEMA,
        "dataset": data,
        "models": {name: pair.facts for name, pair in pairs.items()},
        "settings": config.evaluate.model_dump(mode="json"),
        **surroundings(config),
    }
    mark = fingerprint(inputs)

    def present() -> dict[str, Any] | None:
        if force or not (scores is None or Judged.load(scores, mark)):
            return None
        return finished(where / EVALUATION, mark)

    if evaluation := present():
        return evaluation
    with locked(where / EVALUATION, _("the evaluation of {name}", name=config.name)):
        if evaluation := present():  # another process made it meanwhile
            return evaluation
        device = _device(config.train.device)
        casters = {name: _caster(pair, device, rules, config.evaluate) for name, pair in pairs.items()}
        body = judge(
            config.evaluate,
            dataset,
            rules,
            casters,
            seen=maybe_seen(made.rules),
            scratch=made.rules.init == "scratch",
            progress=progress,
            keep=partial(Judged.save, path=scores, mark=mark) if scores else None,
        )
        head = {"schema": SCHEMA, "name": config.name, "model_name": config.model_name, "fingerprint": mark}
        evaluation = {**head, **body, "provenance": inputs}
        write_atomic(where / EVALUATION, json_bytes(evaluation))
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
    told = conclude(judged, models, rules, settings, seen=seen, scratch=scratch)
    return {
        **told,
        "backtest": _backtest(clean, models, settings),
        "examples": _examples(test, clean, next(iter(models)), models, settings) if models else [],
        "notes": notes(told["origins"]["possibly_seen"]),
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
    tables = {name: table(clean.origins, one, blocks) for name, one in clean.scores.items()}
    against = {name: differences(clean.origins, clean.scores, name, blocks) for name in models}
    crps = {name: told["pooled"]["crps"]["value"] for name, told in tables.items() if name != TUNED}
    compared = {other: each["crps"] for other, each in against.get(TUNED, {}).items()}
    verdict = decide(crps, compared, level=settings.level, scratch=scratch, folds=folds).both()
    return {
        "verdict": verdict if set(MODELS) <= set(models) else None,
        "lookback": rules.lookback,
        "horizon": rules.predict,
        "origins": _counts(judged.origins, clean.origins, early, blocks),
        "models": {name: {"kind": "model" if name in models else "baseline", **tables[name]} for name in tables},
        "differences": {one: {two: as_json(d) for two, d in each.items()} for one, each in against.items()},
        "possibly_seen": _apart(judged.only(early), rules, settings),
    }


def notes(possibly_seen: int) -> list[dict[str, str]]:
    """How to read the figures, as JSON; `possibly_seen` origins are set apart."""
    return [note.both() for note in (*NOTES, *([SEEN] if possibly_seen else []))]


def _early(judged: Judged, seen: bool) -> npt.NDArray[np.bool_]:
    """(N,) the origins that judge nothing, because published weights may have seen them."""
    return judged.origins.early if seen else np.zeros(len(judged.origins), bool)


def _made(config: ModelConfig, where: Path, data: str, models: Sequence[str]) -> Trained:
    """How the model was trained, or would be. Raises UsageError for a model that there is not, DataError where it was
    trained on another dataset, whose training bars may be this one's test."""
    if not models or not set(models) <= set(MODELS):
        raise UsageError(_("models {models}: some of {models2}", models=list(models), models2=MODELS))
    found = trained(where) or Trained(config.train, data)
    if TUNED in models and found.dataset != data:
        raise DataError(
            _(
                "{name} was trained on dataset {dataset}, and the dataset is now {data}: its test bars "
                "may have been trained on; train again (--force)",
                name=config.name,
                dataset=found.dataset[:12],
                data=data[:12],
            )
        )
    return found


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
    of = {key: int((every.of == j).sum()) for j, key in enumerate(every.series)}
    return {
        "all": len(every),
        "judged": len(clean),
        "possibly_seen": int(early.sum()),
        "series": of,
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
    return {name: table(early.origins, one, blocks)["pooled"] for name, one in early.scores.items()}


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
    known, ahead = test.read(judged.origins, which)
    last, tail = known.candles[0, -1, CLOSE], TAIL * known.ahead.shape[1]
    paths = (cast(known).close[0] + 1) * last  # (S, H)
    return {
        "model": by,
        "series": known.series[0],
        "origin": iso(int(known.times[0, -1])),
        "crps": float(judged.scores[by].values["crps"][which[0]]),
        "history": {"time": known.times[0, -tail:].tolist(), "close": known.candles[0, -tail:, CLOSE].tolist()},
        "ahead": {"time": known.ahead[0].tolist(), "close": ahead.candles[0, :, CLOSE].tolist()},
        "quantiles": {f"{q:g}": np.quantile(paths, q, axis=0).tolist() for q in QUANTILES},
    }


def finished(path: Path, mark: str, kind: type[EvaluationRecord] = EvaluationRecord) -> dict[str, Any] | None:
    """The evaluation at `path` where it is that of equal inputs; one that is missing or damaged is made anew."""
    with suppress(DataError):
        record = read_evaluation(path, kind)
        return record.content if record.fingerprint == mark else None
    return None


def _point(where: Path, found: Mapping[str, Any]) -> None:
    """Make CURRENT name the model to use: JSON, whole or absent. Without a verdict it stays as it is."""
    if not found["verdict"]:
        return
    keep = found["verdict"]["keep"]
    if keep is None:
        (where / CURRENT).unlink(missing_ok=True)
        return
    pair = found["provenance"]["models"][keep]
    write_atomic(where / CURRENT, json_bytes({"model": keep, **pair, "evaluation": found["fingerprint"]}))
