"""The broker through pika, the client of the Globus Compute SDK and of its agent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from globus_local.broker.server import Broker

PERSISTENT = pika.BasicProperties(delivery_mode=2, headers={"task_uuid": "t-1"})
Result = TypeVar("Result")


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker() as running:
        yield running


async def on_channel(broker: Broker, use: Callable[[BlockingChannel], Result]) -> Result:
    """Run blocking pika code in a thread, on a channel of its own."""

    def run() -> Result:
        connection = pika.BlockingConnection(pika.URLParameters(broker.url))
        try:
            return use(connection.channel())
        finally:
            connection.close()

    return await asyncio.to_thread(run)


def declare(channel: BlockingChannel, queue: str = "q") -> None:
    channel.queue_declare(queue, durable=True)


def count_ready(channel: BlockingChannel, queue: str = "q") -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)


async def test_publish_then_get_gives_body_and_properties(broker: Broker) -> None:
    def use(channel: BlockingChannel) -> tuple[int, str, dict[str, object], bytes]:
        declare(channel)
        channel.basic_publish("", "q", b"hello", PERSISTENT)
        method, properties, body = channel.basic_get("q", auto_ack=True)
        assert method is not None
        assert properties is not None
        assert body is not None
        return method.message_count, method.routing_key, properties.headers or {}, body

    assert await on_channel(broker, use) == (0, "q", {"task_uuid": "t-1"}, b"hello")


async def test_get_from_empty_queue_says_so(broker: Broker) -> None:
    def use(channel: BlockingChannel) -> object:
        declare(channel)
        return channel.basic_get("q")

    assert await on_channel(broker, use) == (None, None, None)


@pytest.mark.parametrize("size", [0, 131_064, 131_065, 5_000_000])
async def test_bodies_of_any_size_arrive_whole(broker: Broker, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    def use(channel: BlockingChannel) -> bool:
        declare(channel)
        channel.basic_publish("", "q", body)
        return bool(channel.basic_get("q", auto_ack=True)[2] == body)

    assert await on_channel(broker, use)


@pytest.mark.parametrize(
    ("kind", "binding", "key", "arrives"),
    [
        ("direct", "a.b", "a.b", True),
        ("direct", "a.*", "a.b", False),
        ("fanout", "", "anything", True),
        ("topic", "*.results", "ep.results", True),
        ("topic", "*.results", "a.b.results", False),
        ("topic", "#.results", "a.b.results", True),
        ("topic", "#", "", True),
        ("topic", "a.#.z", "a.z", True),
        ("topic", "a.*", "a", False),
    ],
)
async def test_exchange_routes_by_its_kind(broker: Broker, kind: str, binding: str, key: str, *, arrives: bool) -> None:
    def use(channel: BlockingChannel) -> bool:
        declare(channel)
        channel.exchange_declare("x", kind, durable=True)
        channel.queue_bind("q", "x", binding)
        channel.basic_publish("x", key, b"m")
        return channel.basic_get("q")[0] is not None

    assert await on_channel(broker, use) is arrives


async def test_mandatory_message_without_a_queue_comes_back(broker: Broker) -> None:
    def use(channel: BlockingChannel) -> None:
        channel.confirm_delivery()
        channel.basic_publish("", "nobody", b"m", mandatory=True)

    with pytest.raises(UnroutableError):
        await on_channel(broker, use)


async def test_confirmed_message_is_in_the_queue(broker: Broker) -> None:
    def use(channel: BlockingChannel) -> None:
        declare(channel)
        channel.confirm_delivery()
        for _ in range(3):
            channel.basic_publish("", "q", b"m", mandatory=True)

    await on_channel(broker, use)
    assert len(broker.topology.queue("q").ready) == 3


async def test_unacknowledged_messages_return_in_order_when_the_connection_is_lost(broker: Broker) -> None:
    def lose(channel: BlockingChannel) -> None:
        declare(channel)
        for body in (b"1", b"2", b"3"):
            channel.basic_publish("", "q", body)
        channel.basic_get("q")
        channel.basic_get("q")

    def take(channel: BlockingChannel) -> list[tuple[bool, bytes | None]]:
        taken = [channel.basic_get("q", auto_ack=True) for _ in range(3)]
        return [(method.redelivered, body) for method, _, body in taken if method is not None]

    await on_channel(broker, lose)
    assert await on_channel(broker, take) == [(True, b"1"), (True, b"2"), (False, b"3")]


@pytest.mark.parametrize(("requeue", "left"), [(True, 1), (False, 0)])
async def test_nack_requeues_as_asked(broker: Broker, *, requeue: bool, left: int) -> None:
    def use(channel: BlockingChannel) -> int:
        declare(channel)
        channel.basic_publish("", "q", b"m")
        method = channel.basic_get("q")[0]
        assert method is not None
        channel.basic_nack(method.delivery_tag, requeue=requeue)
        return count_ready(channel)

    assert await on_channel(broker, use) == left


async def test_prefetch_bounds_what_a_consumer_holds(broker: Broker) -> None:
    def use(channel: BlockingChannel) -> tuple[int, int]:
        declare(channel)
        channel.basic_qos(prefetch_count=2)
        for _ in range(5):
            channel.basic_publish("", "q", b"m")
        consuming = channel.consume("q", inactivity_timeout=5)
        tags = [method.delivery_tag for method, _, _ in (next(consuming), next(consuming)) if method is not None]
        held = count_ready(channel)
        channel.basic_ack(tags[-1], multiple=True)
        return held, count_ready(channel)

    assert await on_channel(broker, use) == (3, 1)


@pytest.mark.parametrize(
    ("offend", "code"),
    [
        (lambda channel: channel.queue_declare("missing", passive=True), 404),
        (lambda channel: channel.exchange_declare("missing", passive=True), 404),
        (lambda channel: channel.basic_consume("missing", print), 404),
        (lambda channel: channel.queue_declare("q", durable=False), 406),
        (lambda channel: channel.exchange_declare("amq.topic", "direct", durable=True), 406),
        (lambda channel: channel.queue_declare("exclusive", exclusive=True), 405),
        (lambda channel: channel.basic_consume("consumed", print), 403),
    ],
)
async def test_offence_closes_the_channel_with_its_code(
    broker: Broker, offend: Callable[[BlockingChannel], object], code: int
) -> None:
    holder = await asyncio.to_thread(pika.BlockingConnection, pika.URLParameters(broker.url))

    def occupy() -> None:
        channel = holder.channel()
        declare(channel)
        channel.queue_declare("exclusive", exclusive=True)
        channel.queue_declare("consumed")
        channel.basic_consume("consumed", print, exclusive=True)

    await asyncio.to_thread(occupy)
    with pytest.raises(ChannelClosedByBroker) as raised:
        await on_channel(broker, offend)
    assert raised.value.reply_code == code
    await asyncio.to_thread(holder.close)


async def test_exclusive_queue_dies_with_its_connection(broker: Broker) -> None:
    await on_channel(broker, lambda channel: channel.queue_declare("mine", exclusive=True))
    assert "mine" not in broker.topology.queues


async def test_deleting_a_queue_cancels_its_consumer(broker: Broker) -> None:
    def use(channel: BlockingChannel) -> bool:
        cancelled: list[object] = []
        declare(channel)
        channel.add_on_cancel_callback(cancelled.append)
        channel.basic_consume("q", print)
        channel.queue_delete("q")
        channel.connection.process_data_events(time_limit=1)
        return bool(cancelled)

    assert await on_channel(broker, use)


async def test_queue_arguments_of_rabbitmq_are_accepted(broker: Broker) -> None:
    arguments = {"x-expires": 1_800_000, "x-message-ttl": 60_000}

    def use(channel: BlockingChannel) -> str:
        return str(channel.queue_declare("q", durable=True, arguments=arguments).method.queue)

    assert await on_channel(broker, use) == "q"
    assert broker.topology.queue("q").arguments == arguments
