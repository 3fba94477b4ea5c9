"""evaluation.json, read back: of a model, or of a walk-forward.

Everything that the console, the pages and `forecast` read of it has its type here. Other keys are kept as they are.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from kronosforge.core.bars import instant
from kronosforge.core.errors import DataError
from kronosforge.core.i18n import Message, _
from kronosforge.core.names import START, TUNED, model_name
from kronosforge.core.records import Record, damage_named, field_problem, parsed_record
from kronosforge.core.verdict import State

LAYOUT = 5  # 1: differences of CRPS and MAE as they are, not as shares; 2: freedom of intervals from blocks alone;
# 3: no state and reason of the verdict; 4: the start checkpoint is called "pretrained"
NAMES_ALONE_DIFFER = 4  # the layout that differs from today's in names alone
MODEL_KEYS = ("keep", "model")  # keys whose values are names of models


class _Part(Record):
    """A part of an evaluation: none of its numbers is NaN or infinite."""

    model_config = ConfigDict(allow_inf_nan=False)


class TextRecord(_Part):
    """A text in both languages."""

    en: str
    zh: str


class IntervalRecord(_Part):
    """An estimate and its interval; None where there is too little to estimate it."""

    value: float | None
    low: float | None
    high: float | None


class VerdictRecord(_Part):
    """What the verdict says, and which model to keep."""

    promote: bool
    state: Annotated[State, Field(strict=False)]
    reason: str
    keep: str | None
    baseline: str  # empty where no baseline has a score
    sentence: TextRecord


class OriginsRecord(_Part):
    """How many forecasts were judged, and when."""

    judged: int
    possibly_seen: int
    first: str | None
    last: str | None


class PooledRecord(_Part):
    """A forecaster's scores over all forecasts; further metrics have the same type."""

    __pydantic_extra__: dict[str, IntervalRecord] = Field(init=False)
    crps: IntervalRecord
    mae: IntervalRecord
    mase: IntervalRecord
    hit: IntervalRecord
    ic: IntervalRecord
    rank_ic: IntervalRecord
    coverage_90: IntervalRecord


class CalibrationRecord(_Part):
    """The histogram of the PIT, and nominal level and observed share of each central interval."""

    pit: list[float] | None  # None for point forecasts
    coverage: list[Annotated[list[float | None], Field(min_length=2, max_length=2)]]


class PooledScoresRecord(_Part):
    """A forecaster's scores over all forecasts of a fold, or of a walk-forward."""

    pooled: PooledRecord


class ScoresRecord(PooledScoresRecord):
    """A forecaster's scores over all forecasts and by series."""

    series: dict[str, dict[str, IntervalRecord]]
    calibration: CalibrationRecord


class DifferenceRecord(_Part):
    """One forecaster's scores less another's."""

    crps: IntervalRecord
    mae: IntervalRecord
    hit: IntervalRecord


class StrategyRecord(_Part):
    """What a strategy of the backtest earned."""

    gain: Annotated[float, Field(alias="return")]
    sharpe: IntervalRecord
    drawdown: float
    turnover: float
    turnover_per_year: float


class BarBacktestRecord(_Part):
    """The backtest of one bar length: forecaster → kind of position → result."""

    holdings: int
    begin: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]
    strategies: dict[str, dict[str, StrategyRecord]]


class BacktestRecord(_Part):
    """The backtest, by bar code."""

    label: TextRecord
    fee_bps: float
    slippage_bps: float
    bars: dict[str, BarBacktestRecord]


class ClosesRecord(_Part):
    """Open times (ms) and closes."""

    time: list[int]
    close: list[float]


class ExampleRecord(_Part):
    """One forecast in prices, beside the bars that came."""

    which: str
    model: str
    series: str
    origin: str  # ISO 8601
    crps: float
    history: ClosesRecord
    ahead: ClosesRecord
    quantiles: dict[str, list[float]]  # level → closes

    @field_validator("origin")
    @classmethod
    def _is_an_instant(cls, origin: str) -> str:
        instant(origin)
        return origin

    @field_validator("quantiles")
    @classmethod
    def _levels_are_numbers(cls, quantiles: dict[str, list[float]]) -> dict[str, list[float]]:
        for level in quantiles:
            float(level)
        return quantiles


class CheckpointRecord(_Part):
    """A network that was evaluated: where it came from, and the digests of its files."""

    source: str
    sha256: dict[str, str]


class PairRecord(_Part):
    """A pair of networks that was evaluated."""

    untrained: bool = False
    tokenizer: CheckpointRecord | None = None  # None for random weights
    predictor: CheckpointRecord | None = None


class ProvenanceRecord(_Part):
    """What the figures depend on."""

    dataset: str  # fingerprint
    models: dict[str, PairRecord]
    settings: dict[str, Any]
    versions: dict[str, str]


class _JudgementRecord(_Part):
    """The part that an evaluation, a walk-forward and a fold share."""

    fingerprint: str  # of everything that the figures depend on
    origins: OriginsRecord
    differences: dict[str, dict[str, DifferenceRecord]]  # model → the other forecaster → metric

    def _refuse_missing(self, verdict: VerdictRecord | None, models: Mapping[str, PooledScoresRecord]) -> None:
        """Raise ValueError where `models` lacks one that `verdict` compares."""
        for name in (TUNED, START, verdict.baseline) if verdict else ():
            if name and name not in models:
                raise ValueError(f"models.{name} is missing, and the verdict compares it")


class _HeadRecord(_JudgementRecord):
    """The part that an evaluation and a walk-forward share."""

    layout: Annotated[int, Field(alias="schema")]
    name: str
    horizon: int
    possibly_seen: dict[str, PooledRecord] | None
    notes: list[TextRecord]
    provenance: ProvenanceRecord


class EvaluationRecord(_HeadRecord):
    """The evaluation of a model."""

    verdict: VerdictRecord | None  # None where only some of the models were evaluated
    models: dict[str, ScoresRecord]
    backtest: BacktestRecord | None
    examples: list[ExampleRecord]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        self._refuse_missing(self.verdict, self.models)
        if self.verdict and self.verdict.keep not in (None, *self.provenance.models):
            raise ValueError(f"provenance.models.{self.verdict.keep} is missing, and the verdict keeps it")
        return self


class FoldRecord(_JudgementRecord):
    """One fold's row of a walk-forward."""

    fold: int
    verdict: VerdictRecord
    models: dict[str, PooledScoresRecord]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        self._refuse_missing(self.verdict, self.models)
        return self


class WalkRecord(_HeadRecord):
    """A walk-forward: all folds together, and a row for each."""

    verdict: VerdictRecord
    models: dict[str, PooledScoresRecord]
    folds: list[FoldRecord]
    lower_in: dict[str, int]  # forecaster → folds in which the fine-tuned model's CRPS is lower

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        self._refuse_missing(self.verdict, self.models)
        return self


E = TypeVar("E", bound=_HeadRecord)


def evaluate_command(model: str, *options: str) -> str:
    """The command line that evaluates `model`."""
    return " ".join(("kronosforge evaluate --config", model, *options))


def read_evaluation(path: Path, kind: type[E], remedy: str) -> E | None:
    """The evaluation at `path`; None where there is none, or one that another version of KronosForge wrote.

    Raises DataError that names the file, what is wrong with it, and the command that recreates it: `remedy`.
    """
    refuse_folder(path, remedy)
    with damage_named(path, DataError, remedy), suppress(FileNotFoundError):
        return parsed_evaluation(path.read_text("utf-8"), kind)
    return None


def refuse_folder(path: Path, remedy: str) -> None:
    """Raise DataError where a folder stands in the place of the file `path`."""
    if path.is_dir():
        raise DataError(
            _(
                "{path} is a folder, and the evaluation is written to a file of that name; move the folder away, then run: "
                "{remedy}",
                path=path,
                remedy=remedy,
            )
        )


def parsed_evaluation(text: str, kind: type[E]) -> E | None:
    """The evaluation in `text`, which is JSON; None where another version wrote it.

    Raises ValueError or RecursionError where it is damaged. What another version wrote may lack keys and hold null or NaN, and
    whatever else it holds must have the type that it has today.
    """
    content = with_current_names(json.loads(text, parse_constant=lambda _: None))
    if _of_another_version(content):
        _refuse_other_types(content, kind)
        return None
    return parsed_record(with_current_names(json.loads(text, parse_constant=_refuse_constant)), kind)


def with_current_names(content: Any) -> Any:
    """The JSON of an evaluation with today's names of the models; one of layout 4 differs in them alone, and becomes 5."""
    layout = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(layout, int) or layout >= LAYOUT:
        return content
    renamed = _with_current_names(content)
    return {**renamed, "schema": LAYOUT} if layout == NAMES_ALONE_DIFFER else renamed


def _with_current_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            model_name(key): model_name(part)
            if key in MODEL_KEYS and isinstance(part, str)
            else _with_current_names(part)
            for key, part in value.items()
        }
    return [_with_current_names(part) for part in value] if isinstance(value, list) else value


def _of_another_version(content: object) -> bool:
    layout = content.get("schema") if isinstance(content, Mapping) else None
    return isinstance(layout, int) and layout != LAYOUT


def _refuse_other_types(content: Mapping[str, Any], kind: type[E]) -> None:
    try:
        kind.model_validate(content)
    except ValidationError as error:
        wrong = (each for each in error.errors() if each["type"] != "missing")
        if problem := next((each for each in wrong if each["input"] is not None), None):
            raise ValueError(field_problem(problem)) from None


def _refuse_constant(name: str) -> float:
    raise ValueError(Message("it holds {name}, which is not a number", name=name))


def settings_that_differ(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """`name old → new` of each setting that differs."""
    return [
        f"{name} {before.get(name)} → {after.get(name)}"
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]
