"""The bus on the stand-in's own broker, reached in process: no socket between the service and its queues."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pamqp.commands import Basic

from globus_local.broker.exchanges import Exchange
from globus_local.broker.queues import PERSISTENT, Entry, Message, Queue
from globus_local.broker.server import Broker
from globus_local.compute.bus import Delivery, ExchangeKind, Outgoing


class OwnBus:
    """A `Bus` that is a broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    @property
    def url(self) -> str:
        return self.broker.url

    async def start(self) -> None:
        await self.broker.start()

    async def declare_exchange(self, name: str, kind: ExchangeKind) -> None:
        self.broker.topology.declare_exchange(Exchange(name, kind, durable=True))

    async def declare_queue(self, name: str, exchange: str | None = None, key: str = "") -> None:
        queue = self.broker.topology.declare_queue(Queue(name, durable=True))
        if exchange is not None:
            self.broker.topology.exchange(exchange).bind(queue, key)

    async def delete_queue(self, name: str) -> None:
        if name in self.broker.topology.queues:
            self.broker.topology.delete_queue(self.broker.topology.queue(name))

    async def publish(self, exchange: str, key: str, message: Outgoing) -> None:
        properties = Basic.Properties(
            content_type=message.content_type,
            headers=message.headers,
            delivery_mode=PERSISTENT,
            timestamp=message.sent_at,
        )
        self.broker.topology.publish(Message(exchange, key, properties, message.body))

    @asynccontextmanager
    async def consume(self, queue: str, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        found = self.broker.topology.queue(queue)
        consumer = OwnConsumer(prefetch)
        found.add_consumer(consumer)
        found.dispatch()
        try:
            yield consumer
        finally:
            self.broker.topology.detach(found, consumer)
            found.requeue(consumer.unacked.values())

    async def aclose(self) -> None:
        await self.broker.stop()


class OwnConsumer:
    """A consumer of the broker on its own loop, and the iterator of what it was handed."""

    def __init__(self, prefetch: int) -> None:
        self.unacked: dict[int, Entry] = {}
        self._prefetch = prefetch
        self._received: asyncio.Queue[OwnDelivery | None] = asyncio.Queue()

    @property
    def ready(self) -> bool:
        return len(self.unacked) < self._prefetch

    def take(self, queue: Queue, entry: Entry) -> None:
        self.unacked[entry.position] = entry
        self._received.put_nowait(OwnDelivery(self, queue, entry))

    def cancelled(self) -> None:
        self._received.put_nowait(None)

    def __aiter__(self) -> "OwnConsumer":
        return self

    async def __anext__(self) -> Delivery:
        delivery = await self._received.get()
        if delivery is None:
            raise StopAsyncIteration
        return delivery


@dataclass(frozen=True, slots=True)
class OwnDelivery:
    """An entry in the hands of this process."""

    consumer: OwnConsumer
    queue: Queue
    entry: Entry

    @property
    def body(self) -> bytes:
        return self.entry.message.body

    @property
    def headers(self) -> Mapping[str, Any]:
        return self.entry.message.properties.headers or {}

    async def ack(self) -> None:
        del self.consumer.unacked[self.entry.position]
        self.queue.dispatch()
