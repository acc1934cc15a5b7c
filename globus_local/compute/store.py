"""Functions, endpoints, tasks and groups by id, and who may see them."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from globus_local.compute.records import Endpoint, Function, Task, TaskGroup
from globus_local.errors import ServiceError

TASKS_KEPT = 50_000
"""Beyond it the oldest are forgotten; the real service keeps them for two weeks."""

Record = TypeVar("Record", Function, Endpoint, Task, TaskGroup)


class Store:
    """All of it in memory. Only the owner sees a record; public functions may be run by anyone."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.tasks: dict[str, Task] = {}
        self.groups: dict[str, TaskGroup] = {}

    def clear(self) -> None:
        """Forget everything."""
        for records in (self.functions, self.endpoints, self.tasks, self.groups):
            records.clear()

    def function(self, function_id: str, caller_id: str, *, to_run: bool = False) -> Function:
        """The function, if the caller may see it or, `to_run`, execute it.

        Raises:
            ServiceError: 404 or 403.
        """
        return _get(self.functions, function_id, caller_id, "FUNCTION", lambda found: to_run and found.public)

    def endpoint(self, endpoint_id: str, caller_id: str) -> Endpoint:
        """The caller's endpoint.

        Raises:
            ServiceError: 404 or 403.
        """
        return _get(self.endpoints, endpoint_id, caller_id, "ENDPOINT")

    def task(self, task_id: str, caller_id: str) -> Task:
        """The caller's task.

        Raises:
            ServiceError: 404 or 403.
        """
        return _get(self.tasks, task_id, caller_id, "TASK")

    def group(self, group_id: str, caller_id: str) -> TaskGroup:
        """The caller's task group.

        Raises:
            ServiceError: 404 or 403.
        """
        return _get(self.groups, group_id, caller_id, "TASK_GROUP")

    def ensure_group(self, group_id: str, caller_id: str) -> TaskGroup:
        """The caller's task group, made if it does not exist.

        Raises:
            ServiceError: 403, it is somebody else's.
        """
        self.groups.setdefault(group_id, TaskGroup(id=group_id, owner_id=caller_id))
        return self.group(group_id, caller_id)

    def add_task(self, task: Task) -> None:
        """Remember a task of an existing group."""
        self.tasks[task.id] = task
        self.groups[task.group_id].task_ids.append(task.id)
        while len(self.tasks) > TASKS_KEPT:
            self._forget_oldest_task()

    def _forget_oldest_task(self) -> None:
        oldest = self.tasks.pop(next(iter(self.tasks)))
        group = self.groups[oldest.group_id]
        group.task_ids.remove(oldest.id)


def _get(
    records: dict[str, Record],
    record_id: str,
    caller_id: str,
    kind: str,
    is_open: Callable[[Record], bool] = lambda _: False,
) -> Record:
    found = records.get(record_id)
    what = kind.lower().replace("_", " ")
    if found is None:
        raise ServiceError(HTTPStatus.NOT_FOUND, f"{kind}_NOT_FOUND", f"No {what} {record_id}")
    if found.owner_id != caller_id and not is_open(found):
        message = f"Not the owner of {what} {record_id}"
        raise ServiceError(HTTPStatus.FORBIDDEN, f"{kind}_ACCESS_FORBIDDEN", message)
    return found
