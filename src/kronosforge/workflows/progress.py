"""The lines of a training: one per epoch as it ends, a live one in between, and its result."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kronosforge.core.bars import clock
from kronosforge.core.i18n import _
from kronosforge.train import StageName, TrainedStage
from kronosforge.train.loop import Pace
from kronosforge.workflows.fleet import kept_line

__all__ = ["StageLines", "StageName", "epoch_line", "pace_line", "trained_lines"]

EVERY_S = 0.5  # between two live lines
FREEZE_BELOW = 0.05  # share of the reconstruction error that training a tokenizer must gain to be worth new codes


class StageLines:
    """Reports a stage in lines: `keep` receives one per epoch, `live` one that shows progress, every half second at most."""

    def __init__(self, title: str, keep: Callable[[str], None], live: Callable[[str], None]) -> None:
        self._title, self._keep, self._live = title, keep, live
        self._shown = 0.0

    def step(self, pace: Pace) -> None:
        """Show how far the stage is, at most every half second."""
        now = time.monotonic()
        if now - self._shown >= EVERY_S or pace.step == pace.steps:
            self._shown = now
            self._live(pace_line(self._title, pace))

    def epoch(self, epoch: Mapping[str, Any]) -> None:
        """Pass on what validation says."""
        self._keep(f"{self._title} {epoch_line(epoch)}")


def epoch_line(epoch: Mapping[str, Any]) -> str:
    """`epoch 2: loss 4.1234, s1 2.1234, s2 2.0000 *`; the star marks the best so far."""
    metrics = ", ".join(f"{key} {value:.4f}" for key, value in epoch["val"].items() if "_" not in key)
    best = " *" if epoch["best"] else ""
    return _("epoch {epoch}: {metrics}{best}", epoch=epoch["epoch"], metrics=metrics, best=best)


def pace_line(title: str, pace: Pace) -> str:
    """How far a stage has come, in one line."""
    return _(
        "{title}  epoch {epoch}/{epochs}  step {step}/{steps}  loss {loss:.4f}  {bars_per_s:,.0f} bars/s  {clock} left",
        title=title,
        epoch=pace.epoch,
        epochs=pace.epochs,
        step=pace.step,
        steps=pace.steps,
        loss=pace.loss,
        bars_per_s=pace.bars_per_s,
        clock=clock(pace.seconds_left),
    )


def trained_lines(model: str, stages: Mapping[StageName, TrainedStage]) -> Iterator[str]:
    """The result of a training: the tokenizer's health and what follows from it, the best epoch and its checkpoint.

    One line for a stage that was kept, and for a model of which every stage was.
    """
    if all(stage.kept for stage in stages.values()):
        yield kept_line(model)
        return
    for name, stage in stages.items():
        epochs, best = stage.progress.epochs, stage.progress.best_epoch
        if stage.kept:
            yield kept_line(name)
            continue
        if name == "tokenizer":
            yield from _health(epochs[0]["val"], epochs[best]["val"])
        yield _("best:") + f" {name} epoch {best} {stage.best}"


def _health(before: Mapping[str, float], after: Mapping[str, float]) -> Iterator[str]:
    """The tokenizer before and after, and what follows for the next run."""
    width = max(map(len, before))
    for key in before:
        yield f"  {key:<{width}}  {before[key]:.4f} → {after[key]:.4f}"
    gain = 1 - after["reconstruction"] / before["reconstruction"] if before["reconstruction"] else 0.0
    if gain < FREEZE_BELOW:
        yield _(
            "advice: training the tokenizer gained {gain:.1%} of reconstruction; --freeze-tokenizer "
            "keeps the codes that the pretrained predictor knows",
            gain=gain,
        )
