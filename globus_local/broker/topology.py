"""The broker's state: every exchange and queue by name, and the rules for declaring and using them."""

import secrets

from globus_local.broker.errors import NOT_FOUND, PRECONDITION_FAILED, RESOURCE_LOCKED, ChannelError
from globus_local.broker.exchanges import Exchange
from globus_local.broker.queues import Consumer, Message, Queue

PREDECLARED = {"amq.direct": "direct", "amq.fanout": "fanout", "amq.topic": "topic"}


class Topology:
    """Exchanges and queues. Not thread-safe: it belongs to one event loop."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.exchanges = {name: Exchange(name, kind, durable=True) for name, kind in PREDECLARED.items()}

    def exchange(self, name: str) -> Exchange:
        """The exchange of that name.

        Raises:
            ChannelError: 404.
        """
        try:
            return self.exchanges[name]
        except KeyError:
            raise ChannelError(NOT_FOUND, f"no exchange '{name}'") from None

    def queue(self, name: str, user: object | None = None) -> Queue:
        """The queue of that name, for this connection.

        Raises:
            ChannelError: 404, or 405 when it belongs to another connection.
        """
        queue = self.queues.get(name)
        if queue is None:
            raise ChannelError(NOT_FOUND, f"no queue '{name}'")
        if queue.owner is not None and queue.owner is not user:
            raise ChannelError(RESOURCE_LOCKED, f"queue '{name}' belongs to another connection")
        return queue

    def declare_exchange(self, wanted: Exchange) -> None:
        """Create the exchange; one that exists must be of the same kind and durability.

        Raises:
            ChannelError: 406.
        """
        found = self.exchanges.setdefault(wanted.name, wanted)
        if (found.kind, found.durable) != (wanted.kind, wanted.durable):
            raise ChannelError(PRECONDITION_FAILED, f"inequivalent declaration of exchange '{wanted.name}'")

    def declare_queue(self, wanted: Queue) -> Queue:
        """Create the queue; one that exists must be declared alike. An empty name gets a generated one.

        Raises:
            ChannelError: 405 or 406.
        """
        wanted.name = wanted.name or f"amq.gen-{secrets.token_urlsafe(16)}"
        if wanted.name not in self.queues:
            self.queues[wanted.name] = wanted
        found = self.queue(wanted.name, wanted.owner)
        alike = (found.durable, found.auto_delete, found.owner, found.arguments)
        if alike != (wanted.durable, wanted.auto_delete, wanted.owner, wanted.arguments):
            raise ChannelError(PRECONDITION_FAILED, f"inequivalent declaration of queue '{wanted.name}'")
        return found

    def delete_exchange(self, name: str, *, if_unused: bool = False) -> None:
        """Delete the exchange; deleting what is not there is no error.

        Raises:
            ChannelError: 406, it has bindings and ``if_unused`` was asked for.
        """
        exchange = self.exchanges.get(name)
        if exchange is not None and if_unused and exchange.bindings:
            raise ChannelError(PRECONDITION_FAILED, f"exchange '{name}' in use")
        self.exchanges.pop(name, None)

    def delete_queue(self, queue: Queue) -> None:
        """Delete the queue with its messages and bindings, and tell its consumers."""
        self.queues.pop(queue.name, None)
        for exchange in list(self.exchanges.values()):
            had_bindings = bool(exchange.bindings)
            exchange.unbind(queue)
            if exchange.auto_delete and had_bindings and not exchange.bindings:
                del self.exchanges[exchange.name]
        consumers = list(queue.consumers)
        queue.consumers.clear()
        for consumer in consumers:
            consumer.cancelled()

    def detach(self, queue: Queue, consumer: Consumer) -> None:
        """Detach a consumer; an auto-delete queue goes with its last one."""
        queue.remove_consumer(consumer)
        if queue.auto_delete and not queue.consumers:
            self.delete_queue(queue)

    def publish(self, message: Message) -> bool:
        """Route a message; whether it reached a queue.

        Raises:
            ChannelError: 404, no such exchange.
        """
        if message.exchange:
            targets = self.exchange(message.exchange).route(message.routing_key)
        else:  # the default exchange routes to the queue of that name
            named = self.queues.get(message.routing_key)
            targets = [named] if named is not None else []
        for queue in targets:
            queue.put(message)
        return bool(targets)

    def forget_volatile(self) -> None:
        """What a restart forgets: queues and exchanges that are not durable, messages that are not persistent."""
        for queue in [queue for queue in self.queues.values() if not queue.durable or queue.owner is not None]:
            self.delete_queue(queue)
        self.exchanges = {name: exchange for name, exchange in self.exchanges.items() if exchange.durable}
        for queue in self.queues.values():
            queue.keep_persistent()
