"""One AMQP channel: consumers, deliveries awaiting acknowledgement, and messages being published."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.commands import Channel as ChannelMethods
from pamqp.frame import FrameTypes
from pamqp.header import ContentHeader

from globus_local.broker.errors import (
    NO_ROUTE,
    PRECONDITION_FAILED,
    UNEXPECTED_FRAME,
    ChannelError,
    ConnectionFault,
)
from globus_local.broker.queues import Entry, Message, Queue
from globus_local.broker.topology import Topology

MAX_BODY_BYTES = 64 * 1024 * 1024
FRAME_OVERHEAD_BYTES = 8  # frame header and end octet


class Wire(Protocol):
    """The connection as a channel sees it."""

    frame_max: int

    @property
    def writable(self) -> bool:
        """Whether the peer reads as fast as we write."""

    def send(self, channel: int, *frames: FrameTypes) -> None:
        """Write frames."""


@dataclass(slots=True, eq=False)
class ChannelConsumer:
    """A ``Basic.Consume`` of a channel."""

    channel: "Channel"
    tag: str
    queue: Queue
    no_ack: bool
    unacked: int = 0

    @property
    def ready(self) -> bool:
        limit = self.channel.prefetch
        return self.channel.wire.writable and (self.no_ack or not limit or self.unacked < limit)

    def take(self, queue: Queue, entry: Entry) -> None:
        tag = self.channel.track(queue, entry, None if self.no_ack else self)
        message = entry.message
        self.channel.send_content(
            Basic.Deliver(self.tag, tag, entry.redelivered, message.exchange, message.routing_key), message
        )

    def cancelled(self) -> None:
        self.channel.consumers.pop(self.tag, None)
        self.channel.send(Basic.Cancel(consumer_tag=self.tag, nowait=True))


@dataclass(slots=True)
class Delivery:
    """An entry that the peer has and has not acknowledged; ``consumer`` is ``None`` after a ``Basic.Get``."""

    queue: Queue
    entry: Entry
    consumer: ChannelConsumer | None

    def release(self) -> None:
        """Free its place in the consumer's prefetch window."""
        if self.consumer is not None:
            self.consumer.unacked -= 1


@dataclass(slots=True)
class Content:
    """A message being received: the method, then a header, then bodies until the announced size is reached."""

    method: Basic.Publish
    header: ContentHeader | None = None
    chunks: list[bytes] = field(default_factory=list)
    missing: int = 0


class Channel:
    """State of one channel. ``methods`` carries the peer's methods out on it."""

    def __init__(self, number: int, wire: Wire, topology: Topology) -> None:
        self.number = number
        self.wire = wire
        self.topology = topology
        self.consumers: dict[str, ChannelConsumer] = {}
        self.prefetch = 0
        self.confirms = False
        self.closing = False
        self.last_queue = ""  # an empty queue name in a later method means this one
        self._deliveries: dict[int, Delivery] = {}
        self._delivery_tags = count(1)
        self._publish_tags = count(1)
        self._content: Content | None = None

    def send(self, *frames: FrameTypes) -> None:
        """Write frames on this channel."""
        self.wire.send(self.number, *frames)

    def send_content(self, method: Frame, message: Message) -> None:
        """Write a method that carries a message, its body cut to the negotiated frame size."""
        size = self.wire.frame_max - FRAME_OVERHEAD_BYTES
        body = message.body
        bodies = [ContentBody(body[start : start + size]) for start in range(0, len(body), size)]
        self.send(method, message.header, *bodies)

    # -- what the peer publishes

    def begin_publish(self, method: Basic.Publish) -> None:
        """A message follows.

        Raises:
            ConnectionFault: 505, the last one is not complete.
        """
        if self._content is not None:
            raise ConnectionFault(UNEXPECTED_FRAME, "a method arrived inside a message")
        self._content = Content(method)

    def receive_header(self, header: ContentHeader) -> None:
        """The header of the message being published.

        Raises:
            ConnectionFault: 505, no message was announced.
            ChannelError: 406, it is too large.
        """
        if self._content is None or self._content.header is not None:
            raise ConnectionFault(UNEXPECTED_FRAME, "a header arrived outside a message")
        if header.body_size > MAX_BODY_BYTES:
            raise ChannelError(PRECONDITION_FAILED, f"a message of {header.body_size} bytes is too large")
        self._content.header = header
        self._content.missing = header.body_size
        self._publish_if_complete(self._content, header)

    def receive_body(self, chunk: bytes) -> None:
        """A part of the body of the message being published.

        Raises:
            ConnectionFault: 505, nothing is missing.
            ChannelError: 404, there is no such exchange.
        """
        content = self._content
        if content is None or content.header is None or len(chunk) > content.missing:
            raise ConnectionFault(UNEXPECTED_FRAME, "a body arrived outside a message")
        content.chunks.append(chunk)
        content.missing -= len(chunk)
        self._publish_if_complete(content, content.header)

    def _publish_if_complete(self, content: Content, header: ContentHeader) -> None:
        if content.missing:
            return
        self._content = None
        method = content.method
        message = Message(method.exchange, method.routing_key, header.properties, b"".join(content.chunks))
        routed = self.topology.publish(message)
        if method.mandatory and not routed:
            self.send_content(Basic.Return(NO_ROUTE, "NO_ROUTE", method.exchange, method.routing_key), message)
        if self.confirms:
            self.send(Basic.Ack(next(self._publish_tags)))

    # -- what the peer receives

    def track(self, queue: Queue, entry: Entry, consumer: ChannelConsumer | None, *, acked: bool = False) -> int:
        """Number a delivery and, unless it counts as acknowledged, remember it."""
        tag = next(self._delivery_tags)
        if not acked:
            self._deliveries[tag] = Delivery(queue, entry, consumer)
            if consumer is not None:
                consumer.unacked += 1
        return tag

    def settle(self, tag: int, *, multiple: bool, then: Callable[[list[Delivery]], None] | None = None) -> None:
        """Take deliveries off the books: one, all up to a tag, or all (tag 0, multiple).

        Raises:
            ChannelError: 406, the tag is unknown.
        """
        if multiple:
            tags = [known for known in self._deliveries if not tag or known <= tag]
        elif tag in self._deliveries:
            tags = [tag]
        else:
            raise ChannelError(PRECONDITION_FAILED, f"unknown delivery tag {tag}")
        settled = [self._deliveries.pop(known) for known in tags]
        for delivery in settled:
            delivery.release()
        if then is not None:
            then(settled)
        dispatch(delivery.queue for delivery in settled)

    def release(self) -> None:
        """The channel is gone: give everything back."""
        self.closing = True
        for consumer in self.consumers.values():
            self.topology.detach(consumer.queue, consumer)
        self.consumers.clear()
        abandoned = list(self._deliveries.values())
        self._deliveries.clear()
        requeue(abandoned)

    def close(self, error: ChannelError) -> None:
        """Tell the peer that the channel ends for this reason."""
        self.release()
        self.send(ChannelMethods.Close(error.code, error.text, 0, 0))


def requeue(deliveries: list[Delivery]) -> None:
    """Put deliveries back where they were, queue by queue."""
    by_queue: dict[Queue, list[Entry]] = {}
    for delivery in deliveries:
        by_queue.setdefault(delivery.queue, []).append(delivery.entry)
    for queue, entries in by_queue.items():
        queue.requeue(entries)


def dispatch(queues: Iterable[Queue]) -> None:
    """Let queues hand out what they can, each once."""
    for queue in dict.fromkeys(queues):
        queue.dispatch()
