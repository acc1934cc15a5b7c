"""Takes results off the queue of this process's own task group, across broker restarts."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import aio_pika
import orjson
from aio_pika.abc import AbstractIncomingMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError

from resource_server.backends.globus_compute.pacing import Pacing
from resource_server.backends.globus_compute.service import ComputeError, ComputeService, ResultQueues, TaskResult
from resource_server.backends.globus_compute.tasks import Tasks

logger = logging.getLogger(__name__)

PROTOCOL_VERSION = b"\x01"
MAX_MESSAGE_BYTES = 12 << 20
PREFETCH = 200
CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_LOST = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError)


class ResultConsumer:
    """Brings results from the queue to `tasks`.

    Attributes:
        is_connected: whether results would be heard now.
    """

    def __init__(self, service: ComputeService, pacing: Pacing, tasks: Tasks) -> None:
        self.is_connected = False
        self._service = service
        self._pacing = pacing
        self._tasks = tasks
        self._queues: ResultQueues | None = None
        self._group_id = ""
        self._scope: asyncio.Timeout | None = None
        self._has_group = asyncio.Event()

    def follow(self, group_id: str) -> None:
        """Consume this group's results from now on."""
        self._group_id = group_id
        self._has_group.set()
        if self._scope is not None:
            self._scope.reschedule(0)  # ends what consumes the former group's

    async def run(self) -> None:
        """Consume until cancelled; reconnects as often as it takes."""
        await self._has_group.wait()
        failures = 0
        while True:
            try:
                queues = await self._find_queues()
                async with asyncio.timeout(None) as self._scope:
                    await self._consume(queues)
                failures = 0
            except (ComputeError, *_LOST) as exc:
                _check_cancelled()
                failures += 1
                if failures > 1:
                    self._queues = None  # the address or its credentials may have changed
                logger.warning("result_queue_lost failures=%d detail=%s: %s", failures, type(exc).__name__, exc)
            finally:
                self.is_connected = False
                self._scope = None
            self._tasks.check_soon()
            await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])

    async def _find_queues(self) -> ResultQueues:
        if self._queues is None:
            await self._pacing.turn_to_look()
            self._queues = await self._service.find_result_queues()
        return self._queues

    async def _consume(self, queues: ResultQueues) -> None:
        """Consume until the connection or the channel ends.

        With a callback, not the library's iterator: that one answers a cancellation by a call that may wait for ever.
        """
        connection = await aio_pika.connect(queues.url, timeout=CONNECT_TIMEOUT_S)
        try:
            has_ended = asyncio.Event()
            channel = await connection.channel()
            for part in (connection, channel):
                part.close_callbacks.add(lambda *_: has_ended.set())
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await channel.get_queue(f"{queues.prefix}{self._group_id}", ensure=True)
            await queue.consume(self._take)
            self.is_connected = True
            _check_cancelled()
            await has_ended.wait()
        finally:
            with suppress(*_LOST):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await connection.close()

    async def _take(self, message: AbstractIncomingMessage) -> None:
        try:
            task_id, result = parse_message(message.body)
        except ValueError as exc:
            logger.warning("result_dropped bytes=%d detail=%s", len(message.body), exc)
        else:
            self._tasks.settle(task_id, result)
        with suppress(*_LOST):  # the connection has just gone: the message comes again, which is harmless
            await message.ack()


def _check_cancelled() -> None:
    """Raise the cancellation that the AMQP library has turned into something else, or lost (seen with aiormq 7.2)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def parse_message(body: bytes) -> tuple[str, TaskResult]:
    """Task id and result of a message of Compute's protocol 1: a version byte, then JSON. Raises `ValueError`."""
    if body[:1] != PROTOCOL_VERSION or len(body) > MAX_MESSAGE_BYTES:
        raise ValueError("not a message of protocol version 1, or too large")
    message = orjson.loads(memoryview(body)[1:])
    data: Any = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, dict) or message.get("message_type") != "result":
        raise ValueError("not a result")
    task_id, value = data.get("task_id"), data.get("data")
    if not isinstance(task_id, str) or not isinstance(value, str):
        raise ValueError("a result without task id or data")
    return task_id, TaskResult(value) if data.get("error_details") is None else TaskResult(None, value)
