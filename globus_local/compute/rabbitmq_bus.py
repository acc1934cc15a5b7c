"""The bus on a RabbitMQ that runs elsewhere, reached through aio-pika."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustChannel, AbstractRobustConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from globus_local.compute.bus import Delivery, ExchangeKind, Outgoing

CONNECT_S = 10.0
ANSWER_S = 10.0
RECONNECT_S = 0.5
REPAIR_S = 30.0
LOST = (AMQPError, ChannelInvalidStateError, ConnectionError)
"""What operations raise while the connection is being restored."""


class RabbitMqBus:
    """A `Bus` that is a client of RabbitMQ. What was declared is declared anew after a reconnection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection: AbstractRobustConnection | None = None
        self._channel: AbstractRobustChannel | None = None

    @property
    def _open_channel(self) -> AbstractRobustChannel:
        if self._channel is None:
            raise RuntimeError("the bus is not started")
        return self._channel

    async def start(self) -> None:
        self._connection = await aio_pika.connect_robust(
            self.url, timeout=CONNECT_S, reconnect_interval=RECONNECT_S, fail_fast=True
        )
        self._channel = await self._connection.channel()

    async def declare_exchange(self, name: str, kind: ExchangeKind) -> None:
        await self._open_channel.declare_exchange(name, aio_pika.ExchangeType(kind), durable=True, timeout=ANSWER_S)

    async def declare_queue(self, name: str, exchange: str | None = None, key: str = "") -> None:
        queue = await self._open_channel.declare_queue(name, durable=True, timeout=ANSWER_S)
        if exchange is not None:
            await queue.bind(exchange, key, timeout=ANSWER_S)

    async def delete_queue(self, name: str) -> None:
        await self._open_channel.queue_delete(name, timeout=ANSWER_S)

    async def publish(self, exchange: str, key: str, message: Outgoing) -> None:
        async with asyncio.timeout(REPAIR_S):
            while True:
                try:
                    return await self._publish(exchange, key, message)
                except LOST:
                    await asyncio.sleep(RECONNECT_S)

    async def _publish(self, exchange: str, key: str, message: Outgoing) -> None:
        channel = self._open_channel
        target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        outgoing = aio_pika.Message(
            message.body,
            headers=message.headers,
            content_type=message.content_type,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            timestamp=message.sent_at,
        )
        await target.publish(outgoing, key, timeout=ANSWER_S, mandatory=False)

    @contextlib.asynccontextmanager
    async def consume(self, queue: str, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        if self._connection is None:
            raise RuntimeError("the bus is not started")
        received: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        async with await self._connection.channel() as channel:
            await channel.set_qos(prefetch_count=prefetch, timeout=ANSWER_S)
            # Passively, because after a cancellation by the broker aio-pika declares again: a deleted queue stays so.
            source = await channel.declare_queue(queue, durable=True, passive=True, timeout=ANSWER_S)
            await source.consume(received.put, timeout=ANSWER_S)
            yield _receive(received)

    async def aclose(self) -> None:
        if self._connection is not None:
            await self._connection.close()


async def _receive(received: asyncio.Queue[AbstractIncomingMessage]) -> AsyncIterator[Delivery]:
    while True:
        yield RabbitMqDelivery(await received.get())


class RabbitMqDelivery:
    """A message of RabbitMQ in the hands of this process."""

    def __init__(self, message: AbstractIncomingMessage) -> None:
        self._message = message

    @property
    def body(self) -> bytes:
        return self._message.body

    @property
    def headers(self) -> Mapping[str, Any]:
        return self._message.headers

    async def ack(self) -> None:
        with contextlib.suppress(*LOST):  # then it comes again
            await self._message.ack()
