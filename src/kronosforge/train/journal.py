"""What a stage writes down while it trains: metrics.jsonl and TensorBoard always, Comet where COMET_API_KEY is set."""

import importlib.util
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch.utils.tensorboard import SummaryWriter

from kronosforge.core.errors import ModelError, UsageError
from kronosforge.core.i18n import _
from kronosforge.train.state import StageProgress
from kronosforge.workspace.paths import METRICS

EVENTS = "tensorboard"


class Journal:
    """One stage's log. Lines after `progress` belong to a run that was killed: they are taken out, and will come again."""

    def __init__(self, folder: Path, progress: StageProgress, name: str) -> None:
        """Raises ModelError where the log of the run that is resumed is damaged."""
        self._path = folder / METRICS
        lines = _until(self._path, progress)
        step = progress.step
        if not step:
            shutil.rmtree(folder / EVENTS, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._path.write_text("".join(lines), "utf-8")
        self._file = self._path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / EVENTS), purge_step=step + 1 if step else None)
        self._comet = _comet(name)

    def step(self, step: int, epoch: int, values: Mapping[str, float], bars_per_s: float) -> None:
        """One optimiser step."""
        self._write({"kind": "step", "step": step, "epoch": epoch, **values, "bars_per_s": round(bars_per_s, 1)})
        self._scalars("train", values, step)

    def epoch(self, step: int, epoch: Mapping[str, Any]) -> None:
        """The end of an epoch: its mean training losses, what validation said, whether it is the best so far."""
        self._write({"kind": "epoch", "step": step, **epoch})
        self._scalars("val", epoch["val"], step)
        self._file.flush()
        self._board.flush()

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")

    def _scalars(self, group: str, values: Mapping[str, float], step: int) -> None:
        for key, value in values.items():
            self._board.add_scalar(f"{group}/{key}", value, step)
        if self._comet is not None:
            self._comet.log_metrics(dict(values), prefix=group, step=step)

    def flush(self) -> None:
        """Make what was written visible and durable."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._board.close()
        if self._comet is not None:
            self._comet.end()


def _until(path: Path, progress: StageProgress) -> list[str]:
    """The whole lines of an earlier run that `progress` knows of."""
    if not progress.epochs or not path.exists():
        return []
    lines = path.read_text("utf-8", errors="replace").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]  # a killed run may leave half a line at the end
    return [line for number, line in enumerate(whole, 1) if _is_before(line, progress, f"{path}:{number}")]


def _is_before(line: str, progress: StageProgress, place: str) -> bool:
    try:
        entry = json.loads(line)
        if entry["kind"] == "epoch":
            return int(entry["epoch"]) < len(progress.epochs)
        return int(entry["step"]) <= progress.step
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ModelError(
            _("{place} is damaged; move that file away to resume without the log of the earlier steps", place=place)
        ) from None


def _comet(name: str) -> Any:
    if not os.environ.get("COMET_API_KEY"):
        return None
    if importlib.util.find_spec("comet_ml") is None:
        raise UsageError(
            _("COMET_API_KEY is set and comet_ml is not installed; pip install 'kronosforge[comet]', or unset it")
        )
    import comet_ml  # noqa: PLC0415 - an extra

    experiment = comet_ml.Experiment(project_name="kronosforge", auto_metric_logging=False)
    experiment.set_name(name)
    return experiment
