"""What each AMQP method does on a channel (specification 0-9-1, section 1.8 and RabbitMQ's extensions of it)."""

from collections.abc import Callable
from itertools import count
from typing import Any

from pamqp.base import Frame
from pamqp.commands import Basic, Confirm, Exchange, Queue
from pamqp.commands import Channel as ChannelMethods

from globus_local.broker.channel import Channel, ChannelConsumer, requeue
from globus_local.broker.errors import NOT_IMPLEMENTED, PRECONDITION_FAILED, ChannelError, ConnectionFault
from globus_local.broker.exchanges import Exchange as ExchangeState
from globus_local.broker.queues import Queue as QueueState

_consumer_tags = count(1)


def carry_out(channel: Channel, method: Frame) -> None:
    """Carry a method out and answer it.

    Raises:
        ChannelError: the channel must be closed.
        ConnectionFault: the connection must be closed.
    """
    handler = HANDLERS.get(type(method))
    if handler is None:
        raise ConnectionFault(NOT_IMPLEMENTED, f"{method.name} is not implemented")
    handler(channel, method)


def _reply(channel: Channel, method: Any, answer: Frame) -> None:
    if not method.nowait:
        channel.send(answer)


def _find_queue(channel: Channel, name: str) -> QueueState:
    return channel.topology.queue(name or channel.last_queue, channel.wire)


def _flow(channel: Channel, method: ChannelMethods.Flow) -> None:
    channel.send(ChannelMethods.FlowOk(active=method.active))


def _declare_exchange(channel: Channel, method: Exchange.Declare) -> None:
    if method.passive:
        channel.topology.exchange(method.exchange)
    else:
        state = ExchangeState(method.exchange, method.exchange_type, method.durable, method.auto_delete)
        channel.topology.declare_exchange(state)
    _reply(channel, method, Exchange.DeclareOk())


def _delete_exchange(channel: Channel, method: Exchange.Delete) -> None:
    channel.topology.delete_exchange(method.exchange, if_unused=method.if_unused)
    _reply(channel, method, Exchange.DeleteOk())


def _declare_queue(channel: Channel, method: Queue.Declare) -> None:
    if method.passive:
        queue = _find_queue(channel, method.queue)
    else:
        owner = channel.wire if method.exclusive else None
        arguments = dict(method.arguments or {})
        wanted = QueueState(method.queue, method.durable, method.auto_delete, owner, arguments)
        queue = channel.topology.declare_queue(wanted)
    channel.last_queue = queue.name
    _reply(channel, method, Queue.DeclareOk(queue.name, len(queue.ready), len(queue.consumers)))


def _bind_queue(channel: Channel, method: Queue.Bind) -> None:
    queue = _find_queue(channel, method.queue)
    channel.topology.exchange(method.exchange).bind(queue, method.routing_key)
    _reply(channel, method, Queue.BindOk())


def _unbind_queue(channel: Channel, method: Queue.Unbind) -> None:
    queue = _find_queue(channel, method.queue)
    channel.topology.exchange(method.exchange).unbind(queue, method.routing_key)
    channel.send(Queue.UnbindOk())


def _purge_queue(channel: Channel, method: Queue.Purge) -> None:
    _reply(channel, method, Queue.PurgeOk(_find_queue(channel, method.queue).purge()))


def _delete_queue(channel: Channel, method: Queue.Delete) -> None:
    if method.queue and method.queue not in channel.topology.queues:  # RabbitMQ: deleting twice is no error
        _reply(channel, method, Queue.DeleteOk(0))
        return
    queue = _find_queue(channel, method.queue)
    if (method.if_unused and queue.consumers) or (method.if_empty and queue.ready):
        raise ChannelError(PRECONDITION_FAILED, f"queue '{queue.name}' is in use or not empty")
    channel.topology.delete_queue(queue)
    _reply(channel, method, Queue.DeleteOk(len(queue.ready)))


def _qos(channel: Channel, method: Basic.Qos) -> None:
    channel.prefetch = method.prefetch_count
    channel.send(Basic.QosOk())


def _consume(channel: Channel, method: Basic.Consume) -> None:
    queue = _find_queue(channel, method.queue)
    tag = method.consumer_tag or f"amq.ctag-{next(_consumer_tags)}"
    consumer = ChannelConsumer(channel, tag, queue, method.no_ack)
    queue.add_consumer(consumer, exclusive=method.exclusive)
    channel.consumers[tag] = consumer
    _reply(channel, method, Basic.ConsumeOk(tag))
    queue.dispatch()


def _cancel(channel: Channel, method: Basic.Cancel) -> None:
    consumer = channel.consumers.pop(method.consumer_tag or "", None)
    if consumer is not None:
        channel.topology.detach(consumer.queue, consumer)
    _reply(channel, method, Basic.CancelOk(method.consumer_tag))


def _get(channel: Channel, method: Basic.Get) -> None:
    queue = _find_queue(channel, method.queue)
    if not queue.ready:
        channel.send(Basic.GetEmpty())
        return
    entry = queue.ready.popleft()
    message = entry.message
    tag = channel.track(queue, entry, None, acked=method.no_ack)
    answer = Basic.GetOk(tag, entry.redelivered, message.exchange, message.routing_key, len(queue.ready))
    channel.send_content(answer, message)


def _ack(channel: Channel, method: Basic.Ack) -> None:
    channel.settle(method.delivery_tag, multiple=method.multiple)


def _nack(channel: Channel, method: Basic.Nack) -> None:
    channel.settle(method.delivery_tag, multiple=method.multiple, then=requeue if method.requeue else None)


def _reject(channel: Channel, method: Basic.Reject) -> None:
    channel.settle(method.delivery_tag or 0, multiple=False, then=requeue if method.requeue else None)


def _recover(channel: Channel, _method: Basic.Recover) -> None:
    channel.settle(0, multiple=True, then=requeue)
    channel.send(Basic.RecoverOk())


def _select_confirms(channel: Channel, method: Confirm.Select) -> None:
    channel.confirms = True
    _reply(channel, method, Confirm.SelectOk())


HANDLERS: dict[type[Frame], Callable[[Channel, Any], None]] = {
    ChannelMethods.Flow: _flow,
    Exchange.Declare: _declare_exchange,
    Exchange.Delete: _delete_exchange,
    Queue.Declare: _declare_queue,
    Queue.Bind: _bind_queue,
    Queue.Unbind: _unbind_queue,
    Queue.Purge: _purge_queue,
    Queue.Delete: _delete_queue,
    Basic.Qos: _qos,
    Basic.Consume: _consume,
    Basic.Cancel: _cancel,
    Basic.Get: _get,
    Basic.Publish: Channel.begin_publish,
    Basic.Ack: _ack,
    Basic.Nack: _nack,
    Basic.Reject: _reject,
    Basic.Recover: _recover,
    Confirm.Select: _select_confirms,
}
