"""The embedded compute endpoint: from task queue to result queue, with heartbeats."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from globus_local.compute.bus import Bus, Delivery, Outgoing
from globus_local.compute.wire import HEARTBEATS, RESULTS, encode_message, heartbeat_key, result_key, task_queue
from globus_local.endpoint.workers import WorkerLostError, WorkerPool

logger = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
OFFLINE_POLL_S = 0.05
FAREWELL_S = 1.0
MAX_PROCESSES = 2
CONCURRENCY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """How an embedded endpoint runs tasks.

    Attributes:
        env: environment variables of its worker processes, over the cloud's own.
        concurrency: how many tasks run at a time.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = CONCURRENCY


class EmbeddedEndpoint:
    """Runs the tasks of one compute endpoint in worker processes."""

    def __init__(self, bus: Bus, endpoint_id: str, settings: EndpointSettings, is_offline: Callable[[], bool]) -> None:
        self.endpoint_id = endpoint_id
        self.settings = settings
        self._bus = bus
        self._is_offline = is_offline
        processes = min(MAX_PROCESSES, settings.concurrency)
        threads = -(-settings.concurrency // processes)
        self.workers = WorkerPool(endpoint_id, processes=processes, threads=threads, env=settings.env)

    async def run(self) -> None:
        """Run tasks until cancelled."""
        try:
            async with asyncio.TaskGroup() as parts:
                parts.create_task(self.workers.run())
                await self.workers.wait_ready()
                parts.create_task(self._beat())
                await self._consume()
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await self._send_heartbeat(active=False)

    async def _consume(self) -> None:
        queue = task_queue(self.endpoint_id)
        async with self._bus.consume(queue, self.settings.concurrency) as deliveries, asyncio.TaskGroup() as tasks:
            async for delivery in deliveries:
                tasks.create_task(self._handle(delivery))

    async def _handle(self, delivery: Delivery) -> None:
        while self._is_offline():  # noqa: ASYNC110 - a fault is a plain value that anyone may set
            await asyncio.sleep(OFFLINE_POLL_S)
        task_id = str(delivery.headers["task_uuid"])
        serializers = list(delivery.headers.get("result_serializers") or [])
        try:
            result = await self.workers.execute(task_id, delivery.body, serializers)
        except WorkerLostError as error:
            logger.warning("task %s failed: %s", task_id, error)
            result = encode_lost_result(task_id, str(error))
        try:
            await self._bus.publish(RESULTS, result_key(self.endpoint_id), Outgoing(body=result))
        except TimeoutError:
            logger.warning("the result of task %s could not be sent; the task stays queued", task_id)
        else:
            await delivery.ack()

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):  # then the service takes it for offline, rightly
                await self._send_heartbeat(active=True)
            await asyncio.sleep(HEARTBEAT_S)

    async def _send_heartbeat(self, *, active: bool) -> None:
        state = {
            "heartbeat_period": HEARTBEAT_S,
            "active": active,
            "engine_type": "embedded",
            **self.workers.describe(),
        }
        report = {"endpoint_id": self.endpoint_id, "global_state": state, "task_statuses": {}}
        body = encode_message("ep_status_report", report)
        await self._bus.publish(HEARTBEATS, heartbeat_key(self.endpoint_id), Outgoing(body=body))


def encode_lost_result(task_id: str, why: str) -> bytes:
    """The result of a task whose worker process died."""
    text = f"WorkerLost: Task failure due to loss of worker: {why}"
    details = {"code": "RemoteExecutionError", "user_message": text}
    return encode_message("result", {"task_id": task_id, "data": text, "error_details": details, "details": None})
