"""The Compute service: what its routes do."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import orjson

from globus_local.broker.server import Broker
from globus_local.cloud import Cloud, Settings
from globus_local.compute import registration, wire
from globus_local.compute.background import Background
from globus_local.compute.bus import Bus, Outgoing
from globus_local.compute.heartbeats import Heartbeats
from globus_local.compute.own_bus import OwnBus
from globus_local.compute.rabbitmq_bus import RabbitMqBus
from globus_local.compute.records import Endpoint, Function, Task, TaskState
from globus_local.compute.results import Results
from globus_local.compute.store import Store
from globus_local.compute.submission import Submission
from globus_local.compute.user_endpoints import UserEndpoints
from globus_local.endpoint.embedded import EmbeddedEndpoint, EndpointSettings
from globus_local.errors import ServiceError
from globus_local.records import Identity

END_S = 3.0
"""How long the end of an embedded endpoint is waited for; its workers may take longer, on a busy machine."""


def build_bus(settings: Settings) -> Bus:
    """The RabbitMQ of the settings, or a broker of our own."""
    if settings.amqp_url is not None:
        return RabbitMqBus(settings.amqp_url)
    return OwnBus(Broker(host=settings.host, port=settings.amqp_port))


class Compute:
    """Functions, endpoints and tasks of one cloud, and the broker below them."""

    def __init__(self, cloud: Cloud) -> None:
        self.store = Store()
        self.bus = build_bus(cloud.settings)
        self.embedded: dict[str, asyncio.Task[None]] = {}
        self._cloud = cloud
        self._results = Results(self.bus, self.store, cloud.faults, cloud.clock)
        self._user_endpoints = UserEndpoints(self.bus, self.store)
        self._background = Background()
        self._is_running = False
        cloud.on_reset.append(self.reset)

    # -- life

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Broker, queues, consumers and embedded endpoints, for as long as the context lasts."""
        await self.bus.start()
        try:
            self._cloud.amqp_url = self.bus.url
            await registration.declare_service(self.bus)
            self._background.start(self._results.run(), "results")
            self._background.start(Heartbeats(self.bus, self.store, self._results).run(), "heartbeats")
            self._is_running = True
            yield
        finally:
            self._is_running = False
            await self._background.aclose()
            await self.bus.aclose()

    def reset(self) -> None:
        """Forget everything; embedded endpoints end, and their queues and those of the groups go."""
        runs = [self._cancel_embedded(endpoint_id) for endpoint_id in list(self.embedded)]
        if self._is_running:
            self._background.start(
                self._delete_queues(runs, list(self.store.endpoints), list(self.store.groups)), "reset"
            )
        self.store.clear()

    async def _delete_queues(
        self, runs: list[asyncio.Task[None]], endpoint_ids: list[str], group_ids: list[str]
    ) -> None:
        await _wait_ended(*runs)
        for endpoint_id in endpoint_ids:
            await registration.delete_endpoint(self.bus, endpoint_id)
        for group_id in group_ids:
            await self.bus.delete_queue(wire.group_queue(group_id))

    # -- functions

    def register_function(self, function: Function) -> str:
        """Remember a function; its id."""
        self.store.functions[function.id] = function
        return function.id

    # -- endpoints

    async def register_endpoint(self, endpoint: Endpoint) -> dict[str, Any]:
        """Remember an endpoint, or what changed about it; the registration document."""
        self.store.endpoints[endpoint.id] = endpoint
        await registration.declare_endpoint(self.bus, endpoint.id)
        return registration.build_registration(self.bus.url, endpoint.id)

    async def create_endpoint(self, endpoint: Endpoint, settings: EndpointSettings) -> str:
        """Register an endpoint that this process runs itself; its id. It is online once its workers are up."""
        endpoint.embedded = True
        await self.register_endpoint(endpoint)
        if self._cloud.settings.with_endpoint:
            await self._end_embedded(endpoint.id)
            runner = EmbeddedEndpoint(self.bus, endpoint.id, settings, self._is_offline_by_fault)
            self.embedded[endpoint.id] = self._background.start(runner.run(), f"endpoint {endpoint.name}")
        return endpoint.id

    async def delete_endpoint(self, endpoint: Endpoint) -> None:
        """Forget an endpoint; its queues go, and an embedded one ends."""
        self.store.endpoints.pop(endpoint.id, None)
        await self._end_embedded(endpoint.id)
        await registration.delete_endpoint(self.bus, endpoint.id)

    async def _end_embedded(self, endpoint_id: str) -> None:
        if endpoint_id in self.embedded:
            await _wait_ended(self._cancel_embedded(endpoint_id))

    def _cancel_embedded(self, endpoint_id: str) -> asyncio.Task[None]:
        run = self.embedded.pop(endpoint_id)
        run.cancel()
        return run

    def is_online(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint beats, and no fault says otherwise."""
        return endpoint.is_online(time.monotonic()) and not self._is_offline_by_fault()

    def _is_offline_by_fault(self) -> bool:
        return self._cloud.faults.compute.endpoint_offline

    # -- tasks

    async def submit(self, endpoint: Endpoint, caller_id: str, submission: Submission) -> dict[str, Any]:
        """Queue tasks for an endpoint of the caller; the service's answer.

        Raises:
            ServiceError: 403 or 404 for a function or group, 503 by a fault.
        """
        if self._cloud.faults.compute.take("refuse_submits"):
            raise ServiceError(HTTPStatus.SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "Submissions are refused")
        functions = {name: self._find_function(name, endpoint, caller_id) for name in submission.tasks}
        await self._ensure_group(submission, caller_id)
        target = endpoint
        if not endpoint.embedded:  # an embedded endpoint has no template: it runs every configuration alike
            target = await self._user_endpoints.ensure(endpoint, caller_id, submission.config)
            await self._user_endpoints.start(target, submission, self._list_identities(caller_id))
        tasks = {
            function_id: [await self._queue_task(functions[function_id], target, item, submission) for item in items]
            for function_id, items in submission.tasks.items()
        }
        return {
            "request_id": str(uuid.uuid4()),
            "task_group_id": submission.group_id,
            "endpoint_id": endpoint.id,
            "tasks": tasks,
        }

    def _find_function(self, function_id: str, endpoint: Endpoint, caller_id: str) -> Function:
        function = self.store.function(function_id, caller_id, to_run=True)
        if endpoint.allowed_functions is not None and function_id not in endpoint.allowed_functions:
            message = f"Function {function_id} not permitted on endpoint {endpoint.id}"
            raise ServiceError(HTTPStatus.FORBIDDEN, "FUNCTION_NOT_PERMITTED", message)
        return function

    async def _ensure_group(self, submission: Submission, caller_id: str) -> None:
        group = self.store.ensure_group(submission.group_id, caller_id)
        if submission.create_queue and not group.has_queue:
            await self.bus.declare_queue(wire.group_queue(group.id))
            group.has_queue = True

    def _list_identities(self, caller_id: str) -> list[Identity]:
        caller = self._cloud.identities[caller_id]
        return [caller, *(self._cloud.identities[linked] for linked in caller.linked_ids)]

    async def _queue_task(self, function: Function, target: Endpoint, arguments: str, submission: Submission) -> str:
        state = TaskState.WAITING_FOR_NODES if self.is_online(target) else TaskState.WAITING_FOR_EP
        task = Task(
            id=str(uuid.uuid4()),
            owner_id=self.store.groups[submission.group_id].owner_id,
            function_id=function.id,
            endpoint_id=target.id,
            group_id=submission.group_id,
            state=state,
        )
        self.store.add_task(task)
        headers: dict[str, Any] = {"function_uuid": function.id, "task_uuid": task.id}
        if submission.resource_specification:
            headers["resource_specification"] = orjson.dumps(submission.resource_specification).decode()
        if submission.result_serializers:
            headers["result_serializers"] = submission.result_serializers
        body = wire.encode_message("task", {"task_id": task.id, "task_buffer": function.packed + arguments})
        await self.bus.publish(wire.TASKS, wire.task_queue(target.id), Outgoing(body=body, headers=headers))
        return task.id


async def _wait_ended(*runs: asyncio.Task[None]) -> None:
    """Wait for embedded endpoints to end, so that their last words come before what follows; not for long."""
    if runs:
        await asyncio.wait(runs, timeout=END_S)
