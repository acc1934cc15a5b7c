"""What this process still has to finish before it may end, and whether it takes on more."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from resource_server.domain.errors import GatewayError, Overloaded, StreamInterrupted
from resource_server.state.bell import Bell
from resource_server.telemetry.series import DRAINING


class Draining:
    """The drain of one process, and the requests under way in it.

    Args:
        drain_s: how long requests may go on once the drain has begun.

    Attributes:
        is_begun: the process is about to stop: nobody should send it more.
        refuses: nobody else takes new requests either, so they are refused.
        is_over: `end` was called: whatever runs is told so.
    """

    def __init__(self, drain_s: float) -> None:
        self._drain_s = drain_s
        self._began_at = 0.0
        self._tasks: set[asyncio.Task[object]] = set()
        self._changed = Bell()
        self.is_begun = False
        self.refuses = False
        self.is_over = False

    @property
    def under_way(self) -> int:
        """How many requests are being answered."""
        return len(self._tasks)

    @property
    def left_s(self) -> float:
        """Seconds until requests that still run are ended; not below 0."""
        return max(0.0, self._began_at + self._drain_s - time.monotonic())

    def begin(self) -> None:
        """The process was told to stop."""
        self.is_begun = True
        DRAINING.set(to=1)
        self._began_at = time.monotonic()

    def end(self) -> None:
        """The time is over: every request under way is ended by an error that its client reads."""
        self.is_over = True
        for task in self._tasks:
            task.cancel()

    async def wait(self, wait_s: float) -> None:
        """Return when the last request has ended, or after `wait_s` seconds."""
        if self._tasks:
            await self._changed.wait(wait_s)

    @contextmanager
    def request(self) -> Iterator[None]:
        """For as long as the task inside the block answers a request. Raises as `told`."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is answered inside a task")
        self._tasks.add(task)
        try:
            with self.told():
                yield
        finally:
            self._tasks.discard(task)
            if not self._tasks:
                self._changed.ring()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raise `Overloaded` where `end` cancels the block: there is no answer, and the client may ask elsewhere."""
        try:
            yield
        except asyncio.CancelledError as cancelled:
            if not self.has_cancelled():
                raise
            raise build_refusal() from cancelled

    def has_cancelled(self) -> bool:
        """Whether a cancellation just caught in this task was `end`'s and nobody else's; if so, it is taken back."""
        task = asyncio.current_task()
        return self.is_over and task is not None and task.uncancel() == 0


def build_refusal() -> GatewayError:
    """What a request hears that is not begun, or not answered in time."""
    return Overloaded("The gateway is stopping. Send the request again.", retry_after_s=random.randint(1, 10))  # noqa: S311 - jitter


def build_interruption() -> GatewayError:
    """What ends a stream that outlasted the drain."""
    return StreamInterrupted("The gateway is stopping, and the answer took too long. Send the request again.")
