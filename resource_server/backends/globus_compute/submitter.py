"""Sends tasks to the web service: gathered for a moment, at the pace that it allows, without shared fate."""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from resource_server.backends.base import UpstreamSaturated, UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.globus_compute.pacing import Pacing
from resource_server.backends.globus_compute.service import ComputeError, ComputeService, Submission, Submitted
from resource_server.backends.globus_compute.settings import GlobusComputeSettings
from resource_server.backends.globus_compute.tasks import Task, Tasks
from resource_server.domain.breaker import Breaker
from resource_server.relay.base import RelayStream
from resource_server.state.background import Background
from resource_server.state.bell import Bell
from resource_server.telemetry.series import BREAKER_OPEN, SUBMISSION_QUEUE_LENGTH

logger = logging.getLogger(__name__)

MAX_TASKS = 500
"""In one submission."""
MAX_SUBMISSIONS = 4
"""Under way at once: as many as the seam has threads."""
MAX_REFUSALS = 3
"""Answers 429 that one task lives through."""
DEFAULT_RETRY_S = 1.0

_GIVEN_UP = UpstreamUnavailable("the gateway gave the submission up")

Destination = tuple[str, str]
"""Compute endpoint and function: a bad function fails nobody else's tasks."""


@dataclass(slots=True, eq=False)
class _Order:
    """A task on its way to the service."""

    destination: Destination
    arguments: str
    stream: RelayStream | None
    size_bytes: int
    queued_at: float = field(default_factory=time.monotonic)
    refusals: int = 0
    task: asyncio.Future[Task] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Submitter:
    """The queue before the web service.

    Args:
        on_group: told the id of the task group whose results are to be consumed, before results can come.
    """

    def __init__(
        self,
        service: ComputeService,
        pacing: Pacing,
        tasks: Tasks,
        settings: GlobusComputeSettings,
        on_group: Callable[[str], None],
    ) -> None:
        self._service = service
        self._pacing = pacing
        self._tasks = tasks
        self._settings = settings
        self._on_group = on_group
        self._group_id: str | None = None
        self._breaker = Breaker()
        self._orders: dict[Destination, deque[_Order]] = {}
        self._has_orders = asyncio.Event()
        self._sending = 0
        self._sent = Bell()
        self._slots = asyncio.Semaphore(MAX_SUBMISSIONS)
        self._background = Background()

    def start(self) -> None:
        """Begin to send."""
        self._background.start("globus-compute-submit", self._run())

    async def submit(
        self, destination: Destination, arguments: str, stream: RelayStream | None, deadline: float
    ) -> Task:
        """Hand a task over; returns when the service has it. Whoever gets the task forgets it in the end.

        Raises:
            UpstreamUnavailable: the service refused it, or is away.
            UpstreamSaturated: too many wait already.
            UpstreamTimeout: `deadline` (`time.monotonic()`) passed while it waited.
        """
        if self._breaker.is_open():
            raise UpstreamUnavailable("the Globus Compute service is away")
        if sum(map(len, self._orders.values())) >= self._settings.max_queued:
            raise UpstreamSaturated("too many tasks wait to be submitted to Globus Compute")
        order = _Order(destination, arguments, stream, len(json.dumps(arguments)))
        self._orders.setdefault(destination, deque()).append(order)
        SUBMISSION_QUEUE_LENGTH.add(by=1)
        self._has_orders.set()
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await order.task
        except TimeoutError as exc:
            self._abandon(order)
            raise UpstreamTimeout("the deadline passed before Globus Compute had the task") from exc
        except asyncio.CancelledError:
            self._abandon(order)
            raise

    async def aclose(self) -> None:
        """Send nothing more; whoever still waits is told so."""
        await self._background.aclose()
        for orders in self._orders.values():
            _fail(orders, _GIVEN_UP)
            SUBMISSION_QUEUE_LENGTH.add(by=-len(orders))

    async def _run(self) -> None:
        while True:
            await self._has_orders.wait()
            oldest_at = min(orders[0].queued_at for orders in self._orders.values())
            await asyncio.sleep(oldest_at + self._settings.micro_batch_s - time.monotonic())
            await self._slots.acquire()
            await self._pacing.turn_to_submit()
            batch = self._take_batch()
            self._sending += 1
            self._background.start("globus-compute-submission", self._send(batch))
            while self._sending and self._group_id is None:  # the first submission makes the group that others join
                await self._sent.wait(1.0)

    def _take_batch(self) -> list[_Order]:
        """What goes into one submission: the destination that has waited longest, up to the caps."""
        destination, orders = min(self._orders.items(), key=lambda item: item[1][0].queued_at)
        batch: list[_Order] = []
        size_bytes = 0
        while orders and len(batch) < MAX_TASKS:
            size_bytes += orders[0].size_bytes
            if batch and size_bytes > self._settings.submission_bytes:
                break
            batch.append(orders.popleft())
            SUBMISSION_QUEUE_LENGTH.add(by=-1)
        if not orders:
            del self._orders[destination]
        if not self._orders:
            self._has_orders.clear()
        return [order for order in batch if not order.task.done()]

    async def _send(self, batch: list[_Order]) -> None:
        try:
            with self._tasks.expecting():
                if batch:
                    self._deliver(batch, await self._service.submit(self._describe(batch)))
                    self._note_outcome(HTTPStatus.OK)
        except ComputeError as exc:
            self._note_outcome(exc.status)
            self._refused(batch, exc)
        except BaseException:  # whatever it is: nobody may wait for this batch in vain
            _fail(batch, _GIVEN_UP)
            raise
        finally:
            self._sending -= 1
            self._slots.release()
            self._sent.ring()

    def _describe(self, batch: list[_Order]) -> Submission:
        endpoint_id, function_id = batch[0].destination
        return Submission(endpoint_id, function_id, self._group_id, [order.arguments for order in batch])

    def _deliver(self, batch: list[_Order], submitted: Submitted) -> None:
        if self._group_id is None:
            self._group_id = submitted.group_id
            self._on_group(submitted.group_id)
        for order, task_id in zip(batch, submitted.task_ids, strict=True):
            if not order.task.done():  # whoever gave up meanwhile closed the relay, which ends the function
                order.task.set_result(self._tasks.add(task_id, order.stream))

    def _refused(self, batch: list[_Order], error: ComputeError) -> None:
        logger.warning("submission_refused tasks=%d destination=%s detail=%s", len(batch), batch[0].destination, error)
        if "GROUP" in error.code.upper():
            self._group_id = None  # the service has forgotten our group: the next submission makes a new one
        again: list[_Order] = []
        if error.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._pacing.hold(DEFAULT_RETRY_S if error.retry_after_s is None else error.retry_after_s)
            again = [order for order in batch if order.refusals < MAX_REFUSALS]
        for order in reversed(again):
            order.refusals += 1
            self._orders.setdefault(order.destination, deque()).appendleft(order)
            SUBMISSION_QUEUE_LENGTH.add(by=1)
            self._has_orders.set()
        _fail([order for order in batch if order not in again], UpstreamUnavailable(str(error)))

    def _note_outcome(self, status: int | None) -> None:
        if status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._breaker.fail()
        else:
            self._breaker.succeed()
        BREAKER_OPEN.set("globus_compute", to=self._breaker.is_open())

    def _abandon(self, order: _Order) -> None:
        """Nobody waits any more. A task that came at the same moment is forgotten."""
        if not order.task.cancel() and not order.task.cancelled() and order.task.exception() is None:
            self._tasks.forget(order.task.result())


def _fail(orders: Iterable[_Order], error: UpstreamUnavailable) -> None:
    for order in orders:
        if not order.task.done():
            order.task.set_exception(error)
