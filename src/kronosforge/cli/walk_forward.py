"""`kronosforge evaluate --folds K`: what it will cost, how far it is, and one table over the folds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kronosforge.cli.console import forecasts_counter, live_line, print_on_stderr, print_table
from kronosforge.cli.results import forecaster_name, metric_cell, print_origins, print_verdict
from kronosforge.core.bars import clock
from kronosforge.core.i18n import Message, _, localized
from kronosforge.core.names import START, TUNED
from kronosforge.core.verdict import State, state_of
from kronosforge.workflows.progress import StageLines, StageName

HEADS = [
    Message("fold"), Message("first forecast"), Message("last forecast"), Message("forecasts"),
    Message("CRPS % fine-tuned"), Message("start"), Message("best baseline"),
    Message("direction %"), "IC", Message("edge"),
]  # fmt: skip


class ConsoleWalkProgress:
    """Reports a walk-forward on stderr: its cost and each fold's end in lines, what is going on in a live one."""

    def __init__(self, name: str, folds: int) -> None:
        self._name, self._folds = name, folds

    def begins(self, trainings: int, seconds: float) -> None:
        """Print what the trainings will cost."""
        each, whole = clock(seconds), clock(trainings * seconds)
        line = _(
            "{name}: folds to train: {trainings}, at most {each} each and {whole} in total, plus the forecasts. "
            "Ctrl-C keeps what is done; run the same command to continue",
            name=self._name,
            trainings=trainings,
            each=each,
            whole=whole,
        )
        print_on_stderr(line)

    def trains(self, fold: int, stage: StageName) -> StageLines:
        """Print a line per epoch, and each step in a live line."""
        show = live_line()
        return StageLines(f"{self._title(fold)} {stage}", print_on_stderr, lambda line: show(line, False))

    def judges(self, fold: int) -> Callable[[int, int], None]:
        """Count a fold's forecasts in a live line."""
        return forecasts_counter(self._title(fold))

    def ended(self, fold: int, evaluation: dict[str, Any]) -> None:
        """Print a fold's verdict."""
        outcome = _("edge") if state_of(evaluation["verdict"]) is State.EDGE else _("no edge")
        crps = metric_cell(evaluation["models"][TUNED]["pooled"]["crps"], "crps")
        print_on_stderr(f"{self._title(fold)}: {outcome}, CRPS {crps} %")

    def _title(self, fold: int) -> str:
        return _("{name} fold {fold} of {folds}", name=self._name, fold=fold, folds=self._folds)


def print_walk(evaluation: Mapping[str, Any], path: Path) -> None:
    """The verdict over all folds, a row for each, and in how many the fine-tuned model is better."""
    print_verdict(evaluation["verdict"])
    print_origins(evaluation)
    rows = [_row(str(fold["fold"]), fold) for fold in evaluation["folds"]]
    print_table([str(head) for head in HEADS], [*rows, _row(_("all"), evaluation)])
    counts = ", ".join(f"{forecaster_name(evaluation, name)} {count}" for name, count in evaluation["lower_in"].items())
    print(_("of {count} folds, the fine-tuned CRPS is lower than that of: {counts}", count=len(rows), counts=counts))
    for note in evaluation["notes"]:
        print(localized(note))
    print(path)


def _row(name: str, scores: Mapping[str, Any]) -> list[object]:
    pooled = {key: model["pooled"] for key, model in scores["models"].items()}
    baseline = scores["verdict"]["baseline"]
    tuned = pooled[TUNED]
    return [
        name,
        scores["origins"]["first"],
        scores["origins"]["last"],
        scores["origins"]["judged"],
        metric_cell(tuned["crps"], "crps"),
        metric_cell(pooled[START]["crps"], "crps"),
        f"{metric_cell(pooled[baseline]['crps'], 'crps')} {baseline}" if baseline else "–",
        metric_cell(tuned["hit"], "hit"),
        metric_cell(tuned["ic"], "ic"),
        _("yes") if state_of(scores["verdict"]) is State.EDGE else _("no"),
    ]
