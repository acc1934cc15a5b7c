"""Two workers and one Redis, all well."""

import asyncio
import time

from redis import Redis

from resource_server.state.base import State
from tests.servers.redis import RedisServer


async def test_value_is_seen_by_the_other_worker_and_ends(state: State, other: State) -> None:
    await state.key_value.set("token", b"\x00alice\r\n", 0.2)
    assert await other.key_value.get("token") == b"\x00alice\r\n"
    await asyncio.sleep(0.25)
    assert await other.key_value.get("token") is None


async def test_deleted_value_is_gone_everywhere(state: State, other: State) -> None:
    await state.key_value.set("token", b"alice", 60)
    await other.key_value.delete("token")
    assert await state.key_value.get("token") is None


async def test_lease_has_one_holder_among_the_workers(state: State, other: State) -> None:
    assert await state.leases.acquire("poller", "one", 0.3)
    assert not await other.leases.acquire("poller", "two", 0.3)
    await asyncio.sleep(0.2)
    assert await state.leases.acquire("poller", "one", 0.3)
    await asyncio.sleep(0.2)
    assert not await other.leases.acquire("poller", "two", 0.3)
    await other.leases.release("poller", "two")
    assert not await other.leases.acquire("poller", "two", 0.3)
    await state.leases.release("poller", "one")
    assert await other.leases.acquire("poller", "two", 0.3)


async def test_lease_of_a_dead_holder_ends(state: State, other: State) -> None:
    await state.leases.acquire("poller", "one", 0.1)
    await asyncio.sleep(0.15)
    assert await other.leases.acquire("poller", "two", 10)


async def test_workers_share_one_pace(state: State, other: State) -> None:
    waits = [await worker.pacer.reserve("client", 10.0) for worker in (state, other, state, other)]
    assert [round(wait, 0) for wait in waits] == [0, 10, 20, 30]


async def test_pace_allows_a_burst_and_recovers_with_time(state: State, other: State) -> None:
    waits = [await worker.pacer.reserve("client", 0.2, 2) for worker in (state, other, state)]
    assert waits[:2] == [0, 0]
    assert 0.1 < waits[2] <= 0.2
    await asyncio.sleep(0.7)
    assert await other.pacer.reserve("client", 0.2, 2) == 0


async def test_messages_arrive_in_order_and_once(state: State, other: State) -> None:
    sent = [f"message {n}".encode() for n in range(600)]
    for message in sent:
        assert await state.mailboxes.send("worker", message, 1000)
    received: list[bytes] = []
    while messages := await other.mailboxes.receive("worker", 0.1):
        received += messages
    assert received == sent


async def test_waiting_reader_hears_at_once(state: State, other: State) -> None:
    reader = asyncio.create_task(other.mailboxes.receive("worker", 10))
    await asyncio.sleep(0.1)
    sent_at = time.monotonic()
    await state.mailboxes.send("worker", b"hello", 10)
    assert await reader == [b"hello"]
    assert time.monotonic() - sent_at < 1


async def test_mailbox_is_bounded_and_loses_the_oldest(state: State, other: State) -> None:
    for n in range(10):
        await state.mailboxes.send("worker", b"%d" % n, 3)
    assert await other.mailboxes.receive("worker", 1) == [b"7", b"8", b"9"]


async def test_cancelled_reader_loses_nothing(state: State, other: State) -> None:
    reader = asyncio.create_task(other.mailboxes.receive("worker", 10))
    await asyncio.sleep(0.1)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    started_at = time.monotonic()
    await other.mailboxes.receive("worker", 0.05)
    assert time.monotonic() - started_at < 0.8, "the connection was still blocked"
    await state.mailboxes.send("worker", b"hello", 10)
    received: list[bytes] = []
    while not received:
        received = await asyncio.wait_for(other.mailboxes.receive("worker", 0.5), 5)
    assert received == [b"hello"]


async def test_waiting_for_a_message_delays_nothing_else(state: State) -> None:
    reader = asyncio.create_task(state.mailboxes.receive("worker", 1))
    await asyncio.sleep(0.05)
    started_at = time.monotonic()
    await state.key_value.set("token", b"alice", 60)
    assert time.monotonic() - started_at < 0.5
    assert not state.is_degraded()
    await reader


async def test_cancelled_callers_leave_the_replies_of_the_others_in_place(state: State) -> None:
    for n in range(200):
        await state.key_value.set(str(n), b"%d" % n, 60)
    tasks = [asyncio.create_task(state.key_value.get(str(n))) for n in range(200)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    for n, reply in enumerate(replies):
        assert isinstance(reply, asyncio.CancelledError) if n % 3 == 0 else reply == b"%d" % n


async def test_every_key_has_an_end_and_our_prefix(redis_server: RedisServer, state: State) -> None:
    await state.key_value.set("token", b"alice", 60)
    await state.leases.acquire("poller", "one", 60)
    await state.pacer.reserve("client", 0.5)
    await state.mailboxes.send("worker", b"hello", 10)
    with Redis.from_url(redis_server.address) as client:
        ends = {key: client.pttl(key) for key in client.keys("*")}
    assert sorted(ends) == [b"gw:kv:token", b"gw:lease:poller", b"gw:mail:worker", b"gw:pace:client"]
    assert all(0 < end <= 60_000 for end in ends.values())
