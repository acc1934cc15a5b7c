"""The broker through aio-pika, the client of the gateway: robust connections, restarts, backpressure, heartbeats."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import aio_pika
import pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import DeliveryError
from pamqp.commands import Basic

from globus_local.broker.queues import Message
from globus_local.broker.server import Broker

DEADLINE_S = 10


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker() as running:
        yield running


def persistent(body: bytes) -> aio_pika.Message:
    return aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)


async def test_robust_consumer_goes_on_after_a_restart(broker: Broker) -> None:
    received: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    connection = await aio_pika.connect_robust(broker.url, reconnect_interval=0.05)
    async with connection, asyncio.timeout(DEADLINE_S):
        channel = await connection.channel()
        queue = await channel.declare_queue("q", durable=True)
        await queue.consume(received.put)
        await channel.default_exchange.publish(persistent(b"before"), "q")
        assert (await received.get()).body == b"before"  # not acknowledged: it must come again
        await broker.restart(down_s=0.1)
        again = await received.get()
        assert (again.body, again.redelivered) == (b"before", True)
        await again.ack()
        await connection.ready()
        await channel.default_exchange.publish(persistent(b"after"), "q")
        assert (await received.get()).body == b"after"


async def test_restart_keeps_persistent_messages_of_durable_queues_only(broker: Broker) -> None:
    connection = await aio_pika.connect(broker.url)
    async with connection, connection.channel() as channel:
        for name, durable in (("durable", True), ("volatile", False)):
            await channel.declare_queue(name, durable=durable)
            await channel.default_exchange.publish(persistent(b"kept"), name)
            await channel.default_exchange.publish(aio_pika.Message(b"lost"), name)
        port = broker.port
        await broker.restart()
    assert broker.port == port
    assert set(broker.topology.queues) == {"durable"}
    assert [entry.message.body for entry in broker.topology.queue("durable").ready] == [b"kept"]


async def test_dropped_connection_is_noticed_by_the_client(broker: Broker) -> None:
    connection = await aio_pika.connect(broker.url)
    closed = asyncio.Event()
    connection.close_callbacks.add(lambda *_: closed.set())
    assert broker.drop_connections() == 1
    async with asyncio.timeout(DEADLINE_S):
        await closed.wait()
    assert broker.connection_count == 0


async def test_publisher_learns_that_a_mandatory_message_was_returned(broker: Broker) -> None:
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel(on_return_raises=True)
        with pytest.raises(DeliveryError):
            await channel.default_exchange.publish(persistent(b"m"), "nobody", mandatory=True)


async def test_two_consumers_share_a_queue_turn_by_turn(broker: Broker) -> None:
    heard: list[list[bytes]] = [[], []]
    async with await aio_pika.connect(broker.url) as connection, asyncio.timeout(DEADLINE_S):
        done = asyncio.Event()

        async def hear(index: int, message: AbstractIncomingMessage) -> None:
            heard[index].append(message.body)
            await message.ack()
            if sum(map(len, heard)) == 6:
                done.set()

        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        await queue.consume(partial(hear, 0))
        await queue.consume(partial(hear, 1))
        for number in range(6):
            await channel.default_exchange.publish(aio_pika.Message(b"%d" % number), "q")
        await done.wait()
    assert [len(share) for share in heard] == [3, 3]


async def test_reader_that_stalls_is_not_flooded_and_gets_everything_later(broker: Broker) -> None:
    connection = await asyncio.to_thread(pika.BlockingConnection, pika.URLParameters(broker.url))
    received: list[int] = []

    def consume() -> None:
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", lambda *delivery: received.append(len(delivery[-1])), auto_ack=True)

    def read_on() -> None:
        while len(received) < 40:
            connection.process_data_events(time_limit=DEADLINE_S)

    await asyncio.to_thread(consume)
    for _ in range(40):
        broker.topology.publish(Message("", "q", Basic.Properties(), b"x" * 1_000_000))
    assert len(broker.topology.queue("q").ready) > 20
    await asyncio.to_thread(read_on)
    assert received == [1_000_000] * 40
    await asyncio.to_thread(connection.close)


async def test_silent_peer_is_dropped_after_two_heartbeats() -> None:
    async with Broker(heartbeat_s=1) as broker:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(b"AMQP\x00\x00\x09\x01")
        start_ok = b"\x00\x0a\x00\x0b" + b"\x00" * 4 + b"\x05PLAIN" + b"\x00" * 4 + b"\x05en_US"
        tune_ok = b"\x00\x0a\x00\x1f" + b"\x00\x00" + b"\x00\x02\x00\x00" + b"\x00\x01"
        for method in (start_ok, tune_ok):
            writer.write(b"\x01\x00\x00" + len(method).to_bytes(4, "big") + method + b"\xce")
        async with asyncio.timeout(DEADLINE_S):
            await reader.read()  # up to the end of the connection
        assert broker.connection_count == 0
        writer.close()


async def test_other_protocol_is_answered_with_ours_and_closed(broker: Broker) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(b"GET / HT")
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.read() == b"AMQP\x00\x00\x09\x01"
    writer.close()


def test_only_loopback_is_served() -> None:
    with pytest.raises(ValueError, match="loopback"):
        Broker(host="0.0.0.0")  # noqa: S104 - the point of the test
