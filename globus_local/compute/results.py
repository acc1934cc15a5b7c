"""Results on their way back: stored, and forwarded to the queue of their task group."""

import asyncio
import logging
from typing import Any

from globus_local.clock import Clock
from globus_local.compute.bus import Bus, Delivery, Outgoing
from globus_local.compute.store import Store
from globus_local.compute.wire import RESULTS, decode_message, encode_message, group_queue
from globus_local.faults import Faults

logger = logging.getLogger(__name__)

PREFETCH = 1000


class Results:
    """Consumes the `results` queue."""

    def __init__(self, bus: Bus, store: Store, faults: Faults, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._faults = faults
        self._clock = clock

    async def run(self) -> None:
        """Take results in until cancelled; late ones (a fault) wait beside the others."""
        async with self._bus.consume(RESULTS, PREFETCH) as deliveries, asyncio.TaskGroup() as late:
            async for delivery in deliveries:
                delay_s = self._faults.compute.delay_results_s
                if delay_s:
                    late.create_task(self._receive_late(delivery, delay_s))
                else:
                    await self._receive(delivery)

    async def _receive_late(self, delivery: Delivery, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._receive(delivery)

    async def _receive(self, delivery: Delivery) -> None:
        try:
            await self.accept(delivery.body)
        except (ValueError, TimeoutError) as error:
            logger.warning("a result is dropped: %s", error)
        await delivery.ack()

    async def accept(self, body: bytes) -> None:
        """Store a result and forward it. A second result of a task is ignored; a forgotten task's, too.

        Raises:
            ValueError: it is not a result message.
        """
        data = decode_message(body, "result")
        task = self._store.tasks.get(str(data.get("task_id")))
        if task is None or not isinstance(data.get("data"), str):
            raise ValueError(f"no task for a result with id {data.get('task_id')}")
        if task.complete(data, self._clock.now()) and self._store.groups[task.group_id].has_queue:
            await self._forward(task.group_id, body)

    async def fail(self, task_id: str, why: str) -> None:
        """Give a task a failure as its result, on behalf of an endpoint that cannot."""
        details = {"code": "ENDPOINT_STARTUP_FAILURE", "user_message": why}
        data: dict[str, Any] = {"task_id": task_id, "data": why, "details": None, "error_details": details}
        await self.accept(encode_message("result", data))

    async def _forward(self, group_id: str, body: bytes) -> None:
        if self._faults.compute.take("drop_results"):
            return
        copies = 2 if self._faults.compute.take("duplicate_results") else 1
        for _ in range(copies):
            await self._bus.publish("", group_queue(group_id), Outgoing(body=body))
