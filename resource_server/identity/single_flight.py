"""One call for many who wait for the same answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Calls by key. A call runs in a task of its own: a waiter that is cancelled takes nobody along."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[T]] = {}

    async def run(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        """The answer of `call`, or of the call for `key` that is already under way; its exception alike.

        `call` bounds its own time: it goes on when nobody waits any more.
        """
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.ensure_future(_as_coroutine(call))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """Cancel what is under way and wait for its end."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: str, task: asyncio.Task[T]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # read, so that a failure nobody waited for is not reported as lost


async def _as_coroutine(call: Callable[[], Awaitable[T]]) -> T:
    return await call()
