"""Heartbeats of endpoints: who is online, and who could not start."""

import logging
import time

from globus_local.compute.bus import Bus
from globus_local.compute.results import Results
from globus_local.compute.store import Store
from globus_local.compute.wire import HEARTBEATS, decode_message

logger = logging.getLogger(__name__)

PREFETCH = 100


class Heartbeats:
    """Consumes the `heartbeats` queue."""

    def __init__(self, bus: Bus, store: Store, results: Results) -> None:
        self._bus = bus
        self._store = store
        self._results = results

    async def run(self) -> None:
        """Take heartbeats in until cancelled."""
        async with self._bus.consume(HEARTBEATS, PREFETCH) as deliveries:
            async for delivery in deliveries:
                try:
                    await self._accept(delivery.body)
                except ValueError as error:
                    logger.warning("a heartbeat is dropped: %s", error)
                await delivery.ack()

    async def _accept(self, body: bytes) -> None:
        report = decode_message(body, "ep_status_report")
        endpoint = self._store.endpoints.get(str(report.get("endpoint_id")))
        state = report.get("global_state")
        if endpoint is None or not isinstance(state, dict):
            raise ValueError(f"no endpoint {report.get('endpoint_id')}")
        endpoint.hear(state, time.monotonic())
        if "error" in state:  # the agent could not start this user endpoint: its tasks would wait for ever
            waiting = [task for task in self._store.tasks.values() if task.endpoint_id == endpoint.id]
            for task in waiting:
                await self._results.fail(task.id, str(state["error"]))
