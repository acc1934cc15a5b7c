"""The Globus Compute SDK behind `ComputeService`: the only module that imports it.

The SDK is synchronous and its client serves one call at a time, so each thread of a small pool has a client of its
own, made when the thread first needs it: making one calls the network. Results are handed on as text, never unpickled.
"""

import asyncio
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar

import globus_sdk
from globus_compute_sdk import Client
from globus_compute_sdk.sdk.batch import Batch, UserRuntime, create_user_runtime
from globus_sdk.transport import RequestsTransport, RetryConfig

from resource_server.backends.globus_compute.service import (
    ComputeError,
    ResultQueues,
    Submission,
    Submitted,
    TaskResult,
)
from resource_server.backends.globus_compute.settings import GlobusComputeSettings
from resource_server.telemetry.globus_call import GlobusCall

T = TypeVar("T")
THREADS = 4
JSON_SERIALIZER = "globus_compute_sdk.serialize.JSONData"
_FOREIGN = (globus_sdk.GlobusError, AttributeError, LookupError, TypeError, ValueError)
"""What the SDK raises: its own errors, and whatever an answer of another shape leads to."""

_ENDED = frozenset({"success", "failed"})


@dataclass(frozen=True, slots=True)
class _Clients:
    """One thread's clients: the SDK's own, and the raw ones beneath it, which decode nothing."""

    sdk: Client
    web: Any


class SDKComputeService:
    """See `ComputeService`."""

    def __init__(self, settings: GlobusComputeSettings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="globus-compute")
        self._of_thread = threading.local()
        self._transports: list[RequestsTransport] = []

    async def submit(self, submission: Submission) -> Submitted:
        """As `ComputeService.submit`."""
        return await self._run("submit", lambda clients: _submit(clients.sdk, submission))

    async def find_results(self, task_ids: Sequence[str]) -> Mapping[str, TaskResult]:
        """As `ComputeService.find_results`."""
        return await self._run("find_results", lambda clients: _find_results(clients.web, task_ids))

    async def is_online(self, endpoint_id: str) -> bool:
        """As `ComputeService.is_online`."""
        return await self._run("endpoint_status", lambda clients: _is_online(clients.web, endpoint_id))

    async def find_result_queues(self) -> ResultQueues:
        """As `ComputeService.find_result_queues`."""
        return await self._run("find_result_queues", lambda clients: _find_result_queues(clients.web))

    async def aclose(self) -> None:
        """As `ComputeService.aclose`. A call that still runs ends by its own timeout."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for transport in self._transports:
            transport.close()

    async def _run(self, operation: str, call: Callable[[_Clients], T]) -> T:
        """Run a call in the pool: twice its timeout, for it may have to fetch a token first."""
        with GlobusCall(operation) as counted:
            try:
                async with asyncio.timeout(4 * self._settings.api_timeout_s):
                    return await asyncio.get_running_loop().run_in_executor(self._pool, self._call, call)
            except TimeoutError as exc:
                raise ComputeError("the Globus Compute service did not answer in time") from exc
            except ComputeError as exc:
                if exc.status is not None:
                    counted.refused()
                raise

    def _call(self, call: Callable[[_Clients], T]) -> T:
        try:
            return call(self._get_clients())
        except globus_sdk.GlobusAPIError as exc:
            if exc.http_status != HTTPStatus.UNAUTHORIZED:
                raise _convert(exc) from exc
            self._of_thread.clients = None  # the token was revoked: a 401 did nothing, so it is safe to come again
        except _FOREIGN as exc:
            raise _convert(exc) from exc
        try:
            return call(self._get_clients())
        except _FOREIGN as exc:
            raise _convert(exc) from exc

    def _get_clients(self) -> _Clients:
        clients: _Clients | None = getattr(self._of_thread, "clients", None)
        if clients is None:
            clients = self._of_thread.clients = self._build_clients()
        return clients

    def _build_clients(self) -> _Clients:
        settings = self._settings
        transport = RequestsTransport(http_timeout=settings.api_timeout_s)
        self._transports.append(transport)
        patience: dict[str, Any] = {"transport": transport, "retry_config": RetryConfig(max_retries=0)}
        login = globus_sdk.ConfidentialAppAuthClient(settings.client_id, settings.client_secret, **patience)
        config = globus_sdk.GlobusAppConfig(token_storage="memory")  # noqa: S106 - a kind of storage, no secret
        app = globus_sdk.ClientApp("inference-gateway", login_client=login, config=config)
        sdk = Client(app=app, do_version_check=False)
        # The SDK has no public way to another address, to shorter timeouts, or to results that nobody has decoded.
        base_url = settings.service_url or sdk.web_service_address
        web = type(sdk._compute_web_client)(base_url=base_url, app=app, **patience)  # noqa: SLF001
        sdk._compute_web_client = web  # noqa: SLF001
        return _Clients(sdk, web)


def _submit(client: Client, submission: Submission) -> Submitted:
    function_id = uuid.UUID(submission.function_id)
    batch = Batch(
        submission.group_id, request_queue=True, user_runtime=_runtime(), result_serializers=[JSON_SERIALIZER]
    )
    batch.tasks[function_id].extend(submission.arguments)
    answer = client.batch_run(submission.endpoint_id, batch)
    task_ids = [str(uuid.UUID(task_id)) for task_id in answer["tasks"][str(function_id)]]
    if len(task_ids) != len(submission.arguments):
        raise ValueError("the service answered another number of tasks than were submitted")
    return Submitted(group_id=str(uuid.UUID(answer["task_group_id"])), task_ids=task_ids)


@cache
def _runtime() -> UserRuntime:
    """What endpoint templates may know about this process; made once, for it runs a program to find out."""
    return create_user_runtime()


def _find_results(web: Any, task_ids: Sequence[str]) -> dict[str, TaskResult]:
    entries = web.v2.get_task_batch(list(task_ids))["results"]
    return {task_id: _parse_status(entries[task_id]) for task_id in entries if _has_ended(entries[task_id])}


def _is_online(web: Any, endpoint_id: str) -> bool:
    return bool(web.v2.get_endpoint_status(endpoint_id)["status"] == "online")


def _find_result_queues(web: Any) -> ResultQueues:
    answer = web.v2.get_result_amqp_url()
    return ResultQueues(url=str(answer["connection_url"]), prefix=str(answer["queue_prefix"]))


def _has_ended(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("status") in _ENDED


def _parse_status(entry: Mapping[str, Any]) -> TaskResult:
    result = entry.get("result")
    if entry["status"] == "success" and isinstance(result, str):
        return TaskResult(result)
    return TaskResult(None, str(entry.get("exception") or entry.get("reason") or "the task failed"))


def _convert(exc: Exception) -> ComputeError:
    """The one place where the SDK's exceptions end."""
    if isinstance(exc, globus_sdk.GlobusAPIError):
        wait = exc.headers.get("Retry-After", "")
        retry_after_s = float(wait) if wait.isdecimal() else None
        message = f"Globus answered {exc.http_status} {exc.code}: {str(exc.message)[:300]}"
        return ComputeError(message, status=exc.http_status, code=str(exc.code or ""), retry_after_s=retry_after_s)
    return ComputeError(f"{type(exc).__name__}: {str(exc)[:300]}")
