"""The message bus under the Compute service: the embedded broker or a RabbitMQ, behind one small interface."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

ExchangeKind = Literal["direct", "topic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to publish; always persistent.

    Attributes:
        sent_at: becomes the AMQP timestamp, in whole seconds.
    """

    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)
    content_type: str | None = None
    sent_at: datetime | None = None


class Delivery(Protocol):
    """A message received. One that is never acknowledged comes again."""

    @property
    def body(self) -> bytes:
        """The message itself."""

    @property
    def headers(self) -> Mapping[str, Any]:
        """What accompanies it."""

    async def ack(self) -> None:
        """It is dealt with."""


class Bus(Protocol):
    """What the service and the embedded endpoint do with AMQP."""

    @property
    def url(self) -> str:
        """The address that SDKs and agents connect to."""

    async def start(self) -> None:
        """Connect, or start the broker."""

    async def declare_exchange(self, name: str, kind: ExchangeKind) -> None:
        """Make sure of a durable exchange."""

    async def declare_queue(self, name: str, exchange: str | None = None, key: str = "") -> None:
        """Make sure of a durable queue, bound to `exchange` if one is named."""

    async def delete_queue(self, name: str) -> None:
        """Delete a queue and what it holds; its consumers are told."""

    async def publish(self, exchange: str, key: str, message: Outgoing) -> None:
        """Publish. The exchange `""` reaches the queue named like the key.

        Raises:
            TimeoutError: the broker was away for too long.
        """

    def consume(self, queue: str, prefetch: int) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Receive from a queue, at most `prefetch` unacknowledged at a time; goes on over broker restarts.

        The iterator may end when the queue is deleted.
        """

    async def aclose(self) -> None:
        """Disconnect, or stop the broker."""
