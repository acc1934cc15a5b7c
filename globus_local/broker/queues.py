"""Queues: messages in order, and the consumers that take them."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter
from typing import Any, Protocol

from pamqp.commands import Basic
from pamqp.header import ContentHeader

from globus_local.broker.errors import ACCESS_REFUSED, ChannelError

PERSISTENT = 2


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One published message; shared by every queue that it was routed to."""

    exchange: str
    routing_key: str
    properties: Basic.Properties
    body: bytes

    @property
    def header(self) -> ContentHeader:
        """The content header frame that precedes the body on the wire."""
        return ContentHeader(body_size=len(self.body), properties=self.properties)


@dataclass(slots=True, eq=False)
class Entry:
    """A message's place in one queue. A requeued entry goes back to where it came from."""

    message: Message
    position: int
    redelivered: bool = False


class Consumer(Protocol):
    """Takes entries from a queue."""

    @property
    def ready(self) -> bool:
        """Whether it can take one more entry now (prefetch limit, backpressure of its socket)."""

    def take(self, queue: "Queue", entry: Entry) -> None:
        """Receive one entry. Must not call back into the queue."""

    def cancelled(self) -> None:
        """The queue was deleted."""


@dataclass(slots=True, eq=False)
class Queue:
    """A named queue.

    Attributes:
        owner: the connection that alone may use it (an exclusive queue), or ``None``.
        arguments: as declared. Times to live and expiry are accepted and not acted on: nothing here lives that long.
    """

    name: str
    durable: bool = False
    auto_delete: bool = False
    owner: object | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    ready: deque[Entry] = field(default_factory=deque)
    consumers: deque[Consumer] = field(default_factory=deque)
    exclusive_consumer: bool = False
    _positions: Iterator[int] = field(default_factory=count)

    def put(self, message: Message) -> None:
        """Append a message and hand it out if someone is ready."""
        self.ready.append(Entry(message, next(self._positions)))
        self.dispatch()

    def requeue(self, entries: Iterable[Entry]) -> None:
        """Put entries that nobody acknowledged back in their places, marked as redelivered."""
        returned = list(entries)
        for entry in returned:
            entry.redelivered = True
        self.ready = deque(sorted([*returned, *self.ready], key=attrgetter("position")))
        self.dispatch()

    def dispatch(self) -> None:
        """Hand out what can be handed out, turn by turn."""
        while self.ready and (consumer := self._next_consumer()) is not None:
            consumer.take(self, self.ready.popleft())

    def _next_consumer(self) -> Consumer | None:
        for _ in range(len(self.consumers)):
            consumer = self.consumers[0]
            self.consumers.rotate(-1)
            if consumer.ready:
                return consumer
        return None

    def add_consumer(self, consumer: Consumer, *, exclusive: bool = False) -> None:
        """Attach a consumer. Call ``dispatch`` once it can hear, so that it gets what waits.

        Raises:
            ChannelError: 403, someone consumes exclusively, or exclusivity is asked for and someone consumes.
        """
        if self.exclusive_consumer or (exclusive and self.consumers):
            raise ChannelError(ACCESS_REFUSED, f"queue '{self.name}' in exclusive use")
        self.exclusive_consumer = exclusive
        self.consumers.append(consumer)

    def remove_consumer(self, consumer: Consumer) -> None:
        """Detach a consumer; unknown ones are ignored."""
        if consumer in self.consumers:
            self.consumers.remove(consumer)
            self.exclusive_consumer = False

    def purge(self) -> int:
        """Forget what is ready; the number of messages forgotten."""
        purged = len(self.ready)
        self.ready.clear()
        return purged

    def keep_persistent(self) -> None:
        """What a restart does: only persistent messages survive, all of them possibly seen before."""
        self.ready = deque(entry for entry in self.ready if entry.message.properties.delivery_mode == PERSISTENT)
