"""A Globus Compute service in memory, and calls to make of it."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from resource_server.backends.base import Call
from resource_server.backends.globus_compute.service import (
    ComputeError,
    ResultQueues,
    Submission,
    Submitted,
    TaskResult,
)
from resource_server.backends.globus_compute.settings import GlobusComputeSettings
from resource_server.domain.operations import Operation
from resource_server.domain.targets import GlobusComputeTarget

ENDPOINT = "e0000000-0000-4000-8000-000000000001"
FUNCTION = "f0000000-0000-4000-8000-000000000001"


class MemoryComputeService:
    """See `ComputeService`. `submissions` and `asked` are what it was told, `errors` what it answers first."""

    def __init__(self) -> None:
        self.submissions: list[Submission] = []
        self.submitted_at: list[float] = []
        self.asked: list[str] = []
        self.errors: list[ComputeError] = []
        self.online: dict[str, bool | ComputeError] = {}
        self.results: dict[str, TaskResult] = {}
        self.delay_s = 0.0
        self.on_submit: Callable[[Sequence[str]], None] = lambda _task_ids: None

    async def submit(self, submission: Submission) -> Submitted:
        self.submissions.append(submission)
        self.submitted_at.append(time.monotonic())
        await asyncio.sleep(self.delay_s)
        if self.errors:
            raise self.errors.pop(0)
        task_ids = [str(uuid.uuid4()) for _ in submission.arguments]
        self.on_submit(task_ids)
        return Submitted(submission.group_id or str(uuid.uuid4()), task_ids)

    async def find_results(self, task_ids: Sequence[str]) -> Mapping[str, TaskResult]:
        self.asked.extend(task_ids)
        if self.errors:
            raise self.errors.pop(0)
        return {task_id: self.results[task_id] for task_id in task_ids if task_id in self.results}

    async def is_online(self, endpoint_id: str) -> bool:
        self.asked.append(endpoint_id)
        answer = self.online[endpoint_id]
        if isinstance(answer, ComputeError):
            raise answer
        return answer

    async def find_result_queues(self) -> ResultQueues:
        raise ComputeError("there is no queue")

    async def aclose(self) -> None:
        """Nothing to release."""


def build_settings(**fields: Any) -> GlobusComputeSettings:
    return GlobusComputeSettings(**{"client_id": "c", "client_secret": "s", "interval_s": 0.001, **fields})


def build_target(**fields: Any) -> GlobusComputeTarget:
    row = {"cluster": "c", "framework": "vllm", "model": "m", "endpoint_uuid": ENDPOINT, "function_uuid": FUNCTION}
    return GlobusComputeTarget(**{**row, "api_port": 8001, "relay": True, **fields})


def build_call(
    target: GlobusComputeTarget | None = None, *, body: bytes = b"{}", stream: bool = False, timeout_s: float = 5.0
) -> Call:
    deadline = time.monotonic() + timeout_s
    return Call("req_1", target or build_target(), Operation.CHAT_COMPLETIONS, body, stream, deadline)


def our_result(**members: Any) -> TaskResult:
    """What our function returns, as Globus Compute hands it on."""
    return TaskResult("11\n" + json.dumps(json.dumps({"gateway_result": 1, **members})))
