"""Kill a process at one step of its work with files, as a power cut or an operator would."""

import itertools
import os
import signal
from collections.abc import Callable, Iterable

STEPS = ("fsync", "rename", "replace", "unlink", "rmdir", "mkdir")


def die_at(step: int) -> None:
    """From here on: SIGKILL at that step, just before one of the calls in `STEPS`."""
    count = itertools.count()

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def called(*args: object, **kwargs: object) -> object:
            if next(count) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return called

    for name in STEPS:
        setattr(os, name, dying(getattr(os, name)))


def each_step(work: Callable[[int], None], steps: Iterable[int]) -> None:
    """For each n of `steps`, fork, run `work(n)`, kill it at step n; print its exit status: -9, or 0 where it was done."""
    for step in steps:
        child = os.fork()
        if not child:
            die_at(step)
            work(step)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
