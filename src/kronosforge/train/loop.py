"""The one training loop: tokenizer and predictor, one process or many, each step the same whenever it is run."""

import math
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from kronosforge.core.errors import TrainingError, UsageError
from kronosforge.core.i18n import _
from kronosforge.dataset.loader import Batch
from kronosforge.train.devices import Place
from kronosforge.train.journal import Journal
from kronosforge.train.schedule import learning_rate
from kronosforge.train.state import Stage, StageProgress, publish, save, seed_step
from kronosforge.workspace.paths import CANDIDATE, LAST


class Pace(NamedTuple):
    """What the live line shows after each step."""

    epoch: int
    epochs: int
    step: int  # in this epoch
    steps: int
    loss: float
    bars_per_s: float
    seconds_left: float


class StageReporter(Protocol):
    """Receives how far a stage has come."""

    def step(self, pace: Pace) -> None:
        """A step was made."""

    def epoch(self, epoch: Mapping[str, Any]) -> None:
        """An epoch was validated: its number (0 before any step), `val` metrics, and whether it is the `best` so far."""


class _StopRequest:
    """Whether a signal asked to stop. No `threading.Event`: a second signal while the first sets it would wait forever."""

    requested = False


class Training:
    """One stage being trained by this process. Only the main process has a journal, and writes."""

    def __init__(
        self,
        stage: Stage,
        progress: StageProgress,
        place: Place,
        *,
        journal: Journal | None = None,
        reporter: StageReporter | None = None,
    ) -> None:
        self.stage, self.progress, self.place = stage, progress, place
        self._journal, self._reporter = journal, reporter
        self._wrapped = place.wrap(stage.objective)
        self._runner: Callable[..., dict[str, Tensor]] = self._wrapped
        if stage.settings.compile:
            _refuse_blank()
            self._runner = torch.compile(self._wrapped)
        self._parameters = [p for group in stage.optimizer.param_groups for p in group["params"]]
        self._saved = time.monotonic()

    def run(self) -> None:
        """Train until the epochs are over or patience is; then `best_model/` and `last/` are on disk.

        An earlier run's `best_model/` stands until then: a training that dies takes nothing from those who use it.
        Epoch 0 is measured before any step, and is a candidate for the best. Raises TrainingError for a loss that is not
        finite or has exploded, KeyboardInterrupt after saving where a signal asked to stop.
        """
        progress, settings = self.progress, self.stage.settings
        with _stoppable() as stop:
            if not progress.epochs:
                self._judge()
                progress.epoch = 1
                self._save()
            while progress.epoch <= settings.epochs and progress.stale < settings.patience:
                self._epoch(stop)
                self._judge()
                progress.next_epoch()
                self._save()
            progress.finished = True
            if self.place.main:
                publish(self.stage.folder, self.stage, progress)
            self._save()
            if self.place.main:
                shutil.rmtree(self.stage.folder / CANDIDATE, ignore_errors=True)
        if stop.requested:  # after the last step
            raise KeyboardInterrupt

    def _epoch(self, stop: _StopRequest) -> None:
        progress, meter = self.progress, _Meter()
        self.stage.objective.train()
        for batch in self.stage.train.epoch(progress.epoch, progress.step_in_epoch):
            rate = self._set_rate()
            seed_step(self.stage.settings.seed, progress.step, self.place.rank)
            with self._memory(batch):
                values, stopping = self.step(batch, stopping=stop.requested)
            progress.add(values, batch.total)
            speed = meter.tick(batch.total * batch.x.shape[1])
            if self._journal:
                self._journal.step(progress.step, progress.epoch, values | {"lr": rate}, speed)
            if self._reporter:
                self._reporter.step(self._pace(values["loss"], speed, meter))
            if stopping:
                self._save()
                raise KeyboardInterrupt
            if time.monotonic() - self._saved >= self.stage.settings.save_every_s:
                self._save()

    def step(self, batch: Batch, *, stopping: bool = False) -> tuple[dict[str, float], bool]:
        """One optimiser step. Returns mean losses over all processes' windows, and whether some process is to stop.

        The gradient is that of the mean loss over all windows of the step, however they lie on processes and on the
        batches that are accumulated.
        """
        self.stage.optimizer.zero_grad()
        size = self.stage.settings.batch_size
        *parts, last = zip(batch.x.split(size), batch.stamp.split(size), strict=True)
        with self.place.unsynced(self._wrapped):
            sums = [self._backward(*part, batch.total) for part in parts]
        sums.append(self._backward(*last, batch.total))
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self.stage.clip)
        names = [*sums[0], "stop"]
        local = torch.tensor([*(sum(part[name] for part in sums) for name in sums[0]), float(stopping)]).double()
        values = dict(zip(names, self.place.sum(local).tolist(), strict=True))
        stop = values.pop("stop") > 0
        values["norm"] = float(norm)
        self._refuse_unsound(batch, values)
        self.stage.optimizer.step()
        return values, stop

    def _backward(self, x: Tensor, stamp: Tensor, total: int) -> dict[str, float]:
        """Add the gradients of some of a step's windows; returns their share of its mean losses."""
        place, share = self.place, len(x) / total
        with place.autocast():
            losses = self._runner(x.to(place.device, non_blocking=True), stamp.to(place.device, non_blocking=True))
        (losses["loss"] * (share * place.world)).backward()  # the processes' gradients are averaged
        values = torch.stack([value.detach().float() for value in losses.values()]).tolist()
        return {name: value * share for name, value in zip(losses, values, strict=True)}

    @contextmanager
    def _memory(self, batch: Batch) -> Iterator[None]:
        """Say what to change where memory runs out."""
        try:
            yield
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            settings, problem = self.stage.settings, next(iter(str(error).splitlines()), type(error).__name__)
            parameters = sum(p.numel() for p in self.stage.objective.parameters())
            size = max(1, settings.batch_size // 2)
            detail = (
                f"{settings.batch_size} × {batch.x.shape[1]}, {parameters / 1e6:.1f} M, {parameters * 16 / 1e9:.2f} GB"
            )
            raise TrainingError(
                _(
                    "{name}: out of memory on {device} ({value}); windows × bars at once, parameters, and "
                    "what these need with their moments: {detail}; try --batch-size {size} with "
                    "accumulate={accumulate} in the config's train section, which gives the same steps, or a "
                    "smaller model",
                    name=self.stage.name,
                    device=self.place.device,
                    value=problem,
                    detail=detail,
                    size=size,
                    accumulate=settings.accumulate * 2,
                )
            ) from None

    def _set_rate(self) -> float:
        settings = self.stage.settings
        steps = self.stage.train.steps() * settings.epochs
        rate = learning_rate(
            self.progress.step, steps, peak=self.stage.peak, warmup=settings.warmup, kind=settings.schedule
        )
        for group in self.stage.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _refuse_unsound(self, batch: Batch, values: Mapping[str, float]) -> None:
        """Raise TrainingError before a step that would ruin the weights."""
        loss, progress = values["loss"], self.progress
        first = progress.first_loss = loss if progress.first_loss is None else progress.first_loss
        if math.isfinite(values["norm"]) and loss <= first + 10 * max(1.0, abs(first)):  # false for NaN
            return
        names = self.stage.windows.names(batch.windows.numpy()[:3])
        others = f" (+ {len(batch.windows) - len(names)})" * (len(batch.windows) > len(names))
        figures = f"loss {loss:.4g}, gradient norm {values['norm']:.4g}, first loss {first:.4g}"
        raise TrainingError(
            _(
                "{name}: the loss exploded at step {step} ({figures}) on the windows {names}{value}; the "
                "last good state is {folder}; try a lower learning rate, or look at these windows",
                name=self.stage.name,
                step=progress.step + 1,
                figures=figures,
                names=", ".join(names),
                value=others,
                folder=self.stage.folder / LAST,
            )
        )

    def validate(self) -> dict[str, float]:
        """The objective's metrics over all validation windows. Raises TrainingError where one is not finite."""
        self.stage.objective.eval()
        sums: list[Tensor] = []
        with torch.no_grad():
            for batch in self.stage.val.every():
                moved = batch._replace(x=batch.x.to(self.place.device), stamp=batch.stamp.to(self.place.device))
                with self.place.autocast():
                    sums.append(self.stage.objective.measure(moved, self.stage.lookback))
        metrics = self.stage.objective.metrics(self.place.sum(torch.stack(sums).sum(dim=0)))
        if not all(map(math.isfinite, metrics.values())):
            raise TrainingError(
                _(
                    "{name}: validation gave {metrics}, which is not a number; the weights or the validation "
                    "windows are broken",
                    name=self.stage.name,
                    metrics=", ".join(f"{key} {value}" for key, value in metrics.items()),
                )
            )
        return metrics

    def _judge(self) -> None:
        """Validate; keep the network where it is the best so far."""
        progress, metrics = self.progress, self.validate()
        better = progress.judge(metrics, metrics[self.stage.objective.HEADLINE])
        if better and self.place.main:
            self.stage.ordinary().save_pretrained(self.stage.folder / CANDIDATE)
        if self._journal:
            self._journal.epoch(progress.step, progress.epochs[-1])
        if self._reporter:
            self._reporter.epoch(progress.epochs[-1])

    def _save(self) -> None:
        if self._journal:
            self._journal.flush()
        if self.place.main:
            save(self.stage.folder, self.stage, self.progress)
        self._saved = time.monotonic()

    def _pace(self, loss: float, speed: float, meter: "_Meter") -> Pace:
        steps, epochs, progress = self.stage.train.steps(), self.stage.settings.epochs, self.progress
        left = meter.seconds_a_step() * (steps * epochs - progress.step)
        return Pace(progress.epoch, epochs, progress.step_in_epoch, steps, loss, speed, left)


def _refuse_blank() -> None:
    """torch hands its own folder to the C++ compiler, and neither of them quotes a blank."""
    if " " in (folder := str(Path(torch.__file__).parent)):
        raise UsageError(
            _(
                "compile cannot be used where torch lies in a folder with a blank in its name "
                "({folder}); leave it off, or install into another folder",
                folder=folder,
            )
        )


class _Meter:
    """Times the steps of an epoch."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._steps = 0

    def tick(self, bars: int) -> float:
        """Bars a second of the step that ends now."""
        now = time.monotonic()
        speed = bars / max(now - self._last, 1e-9)
        self._last, self._steps = now, self._steps + 1
        return speed

    def seconds_a_step(self) -> float:
        return (self._last - self._start) / max(self._steps, 1)


@contextmanager
def _stoppable() -> Iterator[_StopRequest]:
    """Ctrl-C and a request to end set the flag, and the loop saves after its step; a second one ends it at once."""
    request = _StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def stop(number: int, _: object) -> None:
        if request.requested:
            raise KeyboardInterrupt
        request.requested = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
