"""Asks for results that have not come: messages are lost when brokers restart, and promises are not proofs."""

import asyncio
import logging

from resource_server.backends.globus_compute.pacing import Pacing
from resource_server.backends.globus_compute.service import ComputeError, ComputeService
from resource_server.backends.globus_compute.tasks import Tasks

logger = logging.getLogger(__name__)

ROUND_S = 1.0
MAX_TASKS = 500


class Reconciler:
    """Settles overdue tasks from the web service, all that are due in one call."""

    def __init__(self, service: ComputeService, pacing: Pacing, tasks: Tasks) -> None:
        self._service = service
        self._pacing = pacing
        self._tasks = tasks

    async def run(self) -> None:
        """Look for overdue tasks until cancelled."""
        while True:
            await asyncio.sleep(ROUND_S)
            overdue = self._tasks.take_overdue(MAX_TASKS)
            if overdue:
                await self._ask(overdue)

    async def _ask(self, task_ids: list[str]) -> None:
        await self._pacing.turn_to_look()
        try:
            results = await self._service.find_results(task_ids)
        except ComputeError as exc:
            logger.warning("reconciliation_failed tasks=%d detail=%s", len(task_ids), exc)
            return
        for task_id, result in results.items():
            self._tasks.settle(task_id, result)
