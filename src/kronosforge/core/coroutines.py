"""Coroutines that are waited for by plain functions, in a script and in a notebook alike."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` to its end and return its result; in a thread of its own where this one's event loop is running.

    Notebooks call plain functions inside a running loop, and asyncio allows one loop per thread. An interrupt ends the
    coroutine, too.
    """
    if not _loop_is_running():
        return asyncio.run(coroutine)
    started: Future[asyncio.AbstractEventLoop] = Future()

    async def announced() -> T:
        started.set_result(asyncio.get_running_loop())
        return await coroutine

    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(copy_context().run, asyncio.run, announced())
        try:
            return result.result()
        except KeyboardInterrupt:
            loop = started.result()
            loop.call_soon_threadsafe(_cancel_all, loop)
            raise


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
