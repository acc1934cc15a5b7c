"""The seam to the Globus Compute web service: what the gateway asks of it, in words of its own.

The service's routes are listed at https://compute.api.globus.org/redoc; the one implementation is in `client`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class ComputeError(Exception):
    """The service refused a call, or could not be asked. The text is for logs.

    Attributes:
        status: the HTTP status; `None` if nobody answered.
        code: the service's word for the failure; may be empty.
        retry_after_s: what the service asked us to wait.
    """

    def __init__(
        self, message: str, *, status: int | None = None, code: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Submission:
    """Tasks of one function for one compute endpoint.

    Attributes:
        group_id: the task group that they join; `None` lets the service make one.
        arguments: per task, its packed arguments (`payload.pack_arguments`).
    """

    endpoint_id: str
    function_id: str
    group_id: str | None
    arguments: Sequence[str]


@dataclass(frozen=True, slots=True)
class Submitted:
    """The group and the ids, in the order of the submission's tasks."""

    group_id: str
    task_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class ResultQueues:
    """Where results are delivered: a task group's queue is called `prefix` + its id."""

    url: str
    prefix: str


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a task came to, as untrusted text.

    Attributes:
        data: the serialised return value; `None` if the task failed.
        failure: what went wrong, for logs.
    """

    data: str | None
    failure: str = ""


class ComputeService(Protocol):
    """The calls that the gateway makes. Each counts against the service's rate and raises `ComputeError`."""

    async def submit(self, submission: Submission) -> Submitted:
        """Submit tasks; a queue for the group's results is made if there is none."""
        ...

    async def find_results(self, task_ids: Sequence[str]) -> Mapping[str, TaskResult]:
        """The results of those of these tasks that have ended."""
        ...

    async def is_online(self, endpoint_id: str) -> bool:
        """Whether a compute endpoint is connected to the service."""
        ...

    async def find_result_queues(self) -> ResultQueues:
        """Where results are delivered."""
        ...

    async def aclose(self) -> None:
        """Release connections and threads."""
        ...
