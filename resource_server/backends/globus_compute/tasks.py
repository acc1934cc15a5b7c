"""The tasks under way, and their results: told by the queue or asked for, whichever comes first."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from resource_server.backends.globus_compute.service import TaskResult
from resource_server.relay.base import RelayStream

EARLY_RESULTS = 256
MAX_CHECK_INTERVAL_S = 60.0


@dataclass(slots=True, eq=False)
class Task:
    """One invocation.

    Attributes:
        result: set once, to what the task came to.
        stream: the relay by which its function talks; `None` without one.
        check_at: `time.monotonic()` at which the service is asked for the result.
    """

    task_id: str
    stream: RelayStream | None
    submitted_at: float
    check_at: float
    result: asyncio.Future[TaskResult] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Tasks:
    """Every task whose answer somebody waits for; whoever added one forgets it.

    A result may overtake the answer to its own submission, so the last few that nobody knows are kept for a while.

    Args:
        overdue_after_s: see `GlobusComputeSettings`.
        clock: monotonic seconds.
    """

    def __init__(self, overdue_after_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._overdue_after_s = overdue_after_s
        self._clock = clock
        self._tasks: dict[str, Task] = {}
        self._early: OrderedDict[str, TaskResult] = OrderedDict()
        self._submissions = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task_id: str, stream: RelayStream | None) -> Task:
        """Wait for a task's result."""
        now = self._clock()
        task = Task(task_id, stream, now, now + self._overdue_after_s)
        self._tasks[task_id] = task
        early = self._early.pop(task_id, None)
        if early is not None:
            task.result.set_result(early)
        return task

    def forget(self, task: Task) -> None:
        """Stop waiting. Idempotent."""
        self._tasks.pop(task.task_id, None)
        task.result.cancel()

    def settle(self, task_id: str, result: TaskResult) -> None:
        """Note a result; the first counts. Nobody's is dropped, unless a submission is under way that it may be of."""
        task = self._tasks.get(task_id)
        if task is not None:
            if not task.result.done():
                task.result.set_result(result)
        elif self._submissions:
            self._early[task_id] = result
            while len(self._early) > EARLY_RESULTS:
                self._early.popitem(last=False)

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """A submission is under way: results of tasks whose ids nobody knows yet may come."""
        self._submissions += 1
        try:
            yield
        finally:
            self._submissions -= 1
            if not self._submissions:
                self._early.clear()

    def check_soon(self) -> None:
        """Ask for every task that is under way: messages may have been lost."""
        now = self._clock()
        for task in self._tasks.values():
            task.check_at = now

    def take_overdue(self, limit: int) -> list[str]:
        """Ids of at most `limit` tasks to ask for now; each is asked for again after a growing while.

        A task whose function was heard lately needs no asking: its answer comes by the relay.
        """
        now = self._clock()
        overdue = [task for task in self._tasks.values() if task.check_at <= now and not task.result.done()][:limit]
        for task in overdue:
            age_s = now - task.submitted_at
            task.check_at = now + min(max(age_s, self._overdue_after_s), MAX_CHECK_INTERVAL_S)
        return [task.task_id for task in overdue if not self._is_heard(task, now)]

    def _is_heard(self, task: Task, now: float) -> bool:
        return task.stream is not None and now - task.stream.heard_at() < self._overdue_after_s
