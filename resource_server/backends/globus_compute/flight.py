"""One call on its way: what it holds, and how long it may hold it."""

import asyncio
import time
from collections.abc import Callable

from resource_server.backends.base import Call, UpstreamIncompatible, UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.globus_compute.results import NOT_JSON, STREAM_GONE, Answer, TaskFailed, parse_result
from resource_server.backends.globus_compute.settings import GlobusComputeSettings
from resource_server.backends.globus_compute.tasks import Task
from resource_server.relay.base import RelayStream


class Flight:
    """A call, its relay stream and its task. Closing it is what cancels the work: the function hears 410.

    Attributes:
        stream: `None` for a call without relay.
        task: `None` until the service has it.
    """

    def __init__(self, call: Call, settings: GlobusComputeSettings, on_close: Callable[["Flight"], None]) -> None:
        self.call = call
        self.stream: RelayStream | None = None
        self.task: Task | None = None
        self._settings = settings
        self._on_close: Callable[[Flight], None] | None = on_close

    async def aclose(self) -> None:
        """Give everything back. Idempotent."""
        on_close, self._on_close = self._on_close, None
        if on_close is None:
            return
        on_close(self)
        if self.stream is not None:
            await self.stream.aclose()

    def left_s(self) -> float:
        """Seconds until the call's deadline. Raises `UpstreamTimeout` once it has passed."""
        left_s = self.call.deadline - time.monotonic()
        if left_s <= 0:
            raise UpstreamTimeout("the call's deadline passed")
        return left_s

    def is_silent(self) -> bool:
        """Whether a function that has begun to talk has not been heard for too long."""
        return self.stream is not None and time.monotonic() - self.stream.heard_at() > self._settings.silence_timeout_s

    def is_late(self) -> bool:
        """Whether the function should have begun by now; the wait for a turn at the service is not its fault."""
        limit_s = self.call.begin_within_s
        return limit_s is not None and self.task is not None and time.monotonic() - self.task.submitted_at > limit_s

    async def wait_for_result(self, wait_s: float) -> bool:
        """Whether the task has ended, `wait_s` seconds from now at the latest."""
        if self.task is not None:
            await asyncio.wait({self.task.result}, timeout=wait_s)
        return self.task is not None and self.task.result.done()

    def find_answer(self) -> Answer | None:
        """The answer in the task's result; `None` while there is no result that says anything about the call.

        Raises:
            TaskFailed: the task has failed.
        """
        if self.task is None or not self.task.result.done() or self.task.result.cancelled():
            return None
        try:
            return parse_result(self.task.result.result())
        except TaskFailed as exc:
            if exc.code == STREAM_GONE:
                return None
            raise


def unavailable(failure: TaskFailed) -> UpstreamUnavailable:
    """What a failed task means while nothing has reached the client."""
    return UpstreamIncompatible(failure.message) if failure.code == NOT_JSON else UpstreamUnavailable(str(failure))
