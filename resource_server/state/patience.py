"""A time limit for waits that follow one another closely, as between the events of a stream."""

import asyncio
from types import TracebackType
from typing import Self


class Patience:
    """`asyncio.timeout` for one wait after another: the same outcome, but one timer that is rarely moved.

    A stream waits for each of its events, and nearly every wait ends at once: a timer set and cancelled for each was a
    tenth of what an event costs. One wait at a time.
    """

    __slots__ = ("_cancelling", "_ends_at", "_expired", "_loop", "_task", "_timer")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._ends_at = 0.0
        self._cancelling = 0
        self._expired = False

    def limit(self, wait_s: float) -> Self:
        """Limit the block of the ``with`` to `wait_s` seconds: then it raises `TimeoutError`."""
        self._ends_at = self._loop.time() + wait_s
        return self

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("Patience works inside a task")
        self._cancelling = self._task.cancelling()
        if self._timer is None or self._timer.when() > self._ends_at:
            self._arm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._expired and task is not None:
            self._expired = False
            # As asyncio.timeout: somebody else's cancellation of this task goes before ours.
            if task.uncancel() <= self._cancelling and kind is not None and issubclass(kind, asyncio.CancelledError):
                raise TimeoutError from error

    def close(self) -> None:
        """Drop the timer. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._ends_at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._task is None:
            return  # nobody waits now; who waits next sets the timer again
        if self._loop.time() < self._ends_at:
            self._arm()
            return
        self._expired = True
        self._task.cancel()
