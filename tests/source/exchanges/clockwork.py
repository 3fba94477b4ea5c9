"""An event loop whose time passes only where everything waits: hours of pauses take no time, and each run is the same."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    """Instead of waiting, moves `now` on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += max(0.0, timeout or 0.0)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def run(job: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in that time. Nothing real may be waited for."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(job)
