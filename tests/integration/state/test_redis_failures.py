"""Redis is killed, hangs, forgets, or is full of garbage: nobody sees it."""

import asyncio
import time

import pytest
from redis import Redis

from resource_server.state.base import State
from resource_server.state.build import open_state
from resource_server.state.redis_address import parse_redis_url
from resource_server.state.redis_wire import MAX_PENDING_COMMANDS, RedisUnavailable, RedisWire
from tests.integration.state.fake_servers import serve_nonsense
from tests.servers.process import find_free_port
from tests.servers.redis import RedisServer
from tests.waiting import wait_until

HUNG_S = 0.5
"""A call that finds Redis hung waits 0.1 s; the rest is patience with a busy machine."""


async def use(state: State, name: str) -> float:
    """Everything once; the seconds of the slowest call."""
    slowest_s = 0.0
    started_at = time.monotonic()
    await state.key_value.set(name, b"alice", 60)
    for call in (state.key_value.get(name), state.leases.acquire(name, "me", 60), state.pacer.reserve(name, 1)):
        assert await call in {b"alice", True, 0.0}
        slowest_s = max(slowest_s, time.monotonic() - started_at)
        started_at = time.monotonic()
    return slowest_s


async def test_start_needs_no_redis() -> None:
    state = await asyncio.wait_for(open_state(f"redis://127.0.0.1:{find_free_port()}/0", workers=2), 5)
    assert state.is_degraded()
    await use(state, "a")
    await state.aclose()


async def test_killed_redis_is_replaced_by_memory_and_found_again(redis_server: RedisServer, state: State) -> None:
    await use(state, "before")
    redis_server.kill()
    await use(state, "down")
    assert state.is_degraded()
    redis_server.start()
    await wait_until(lambda: not state.is_degraded())
    await use(state, "after")
    with Redis.from_url(redis_server.address) as client:
        assert client.get("gw:kv:after") == b"alice"


async def test_hung_redis_delays_a_call_once_and_then_nobody(redis_server: RedisServer, state: State) -> None:
    await use(state, "before")
    redis_server.suspend()
    assert await use(state, "first") < HUNG_S
    assert state.is_degraded()
    waits_s = []
    for n in range(50):
        waits_s.append(await use(state, str(n)))
        await asyncio.sleep(0.01)
    assert sorted(waits_s)[40] < 0.02
    redis_server.resume()
    await wait_until(lambda: not state.is_degraded())
    await use(state, "after")


async def test_callers_that_wait_while_redis_hangs_are_all_answered(redis_server: RedisServer, state: State) -> None:
    redis_server.suspend()
    started_at = time.monotonic()
    answers = await asyncio.gather(*(state.key_value.get(str(n)) for n in range(500)))
    assert answers == [None] * 500
    assert time.monotonic() - started_at < HUNG_S
    redis_server.resume()


async def test_flushed_redis_is_cold_and_learns_the_scripts_again(redis_server: RedisServer, state: State) -> None:
    await use(state, "before")
    with Redis.from_url(redis_server.address) as client:
        client.flushall()
        client.script_flush()
    assert await state.key_value.get("before") is None
    await use(state, "before")
    assert not state.is_degraded()


async def test_garbage_under_our_keys_is_taken_for_nothing(redis_server: RedisServer, state: State) -> None:
    with Redis.from_url(redis_server.address) as client:
        client.rpush("gw:kv:list", "x")
        client.rpush("gw:lease:list", "x")
        client.set("gw:lease:endless", "x")
        client.rpush("gw:pace:list", "x")
        client.set("gw:pace:text", "soon")
        client.set("gw:pace:far", str(1 << 60))
        client.set("gw:mail:text", "x")
        client.xadd("gw:mail:strange", {"field": "x"})
    assert await state.key_value.get("list") is None
    for name in ("list", "endless"):
        assert await state.leases.acquire(name, "me", 60)
    for name in ("list", "text", "far"):
        assert [round(await state.pacer.reserve(name, 10.0)) for _ in range(2)] == [0, 10]
    assert await state.mailboxes.receive("text", 0.05) == []
    for name in ("text", "strange"):
        assert await state.mailboxes.send(name, b"hello", 10)
        assert await state.mailboxes.receive(name, 1) == [b"hello"]
    assert not state.is_degraded()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"+PONG\r\n:7\r\n:7\r\n:7\r\n:7\r\n",
        b"+PONG\r\n$-7\r\n!!\r\n",
        b"*3\r\n*3\r\n*3\r\n",
        b"-ERR no\r\n",
        b"\x00\xff" * 1000,
        b"",
    ],
)
async def test_server_that_is_no_redis_is_left_alone(nonsense: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with serve_nonsense(nonsense) as url:
        state = await asyncio.wait_for(open_state(url, workers=2), 5)
        for n in range(20):
            assert await use(state, str(n)) < HUNG_S
            await asyncio.sleep(0.01)
        await asyncio.wait_for(state.aclose(), 1)
    assert {record.name for record in caplog.records} <= {"resource_server.state.redis_link"}


async def test_commands_that_wait_are_bounded() -> None:
    async with serve_nonsense(b"") as url:
        address = parse_redis_url(url)
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(RedisWire, address.host, address.port)
        waiting = [wire.execute("PING", wait_s=5) for _ in range(MAX_PENDING_COMMANDS)]
        with pytest.raises(RedisUnavailable):
            wire.execute("PING", wait_s=5)
        wire.close("enough")
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(failure) for failure in failures} == {RedisUnavailable}
        with pytest.raises(RedisUnavailable):
            wire.execute("PING", wait_s=5)


async def test_mailbox_says_that_nothing_was_sent_and_heals(
    redis_server: RedisServer, state: State, other: State
) -> None:
    await other.mailboxes.receive("worker", 0.01)
    redis_server.kill()
    assert not await state.mailboxes.send("worker", b"lost", 10)
    started_at = time.monotonic()
    assert await other.mailboxes.receive("worker", 0.1) == []
    assert time.monotonic() - started_at > 0.05
    redis_server.start()
    await wait_until(lambda: not state.is_degraded())
    assert await state.mailboxes.send("worker", b"hello", 10)
    received: list[bytes] = []
    while not received:
        received = await asyncio.wait_for(other.mailboxes.receive("worker", 1), 10)
    assert received == [b"hello"]


async def test_pace_without_redis_is_this_workers_share(redis_server: RedisServer, state: State) -> None:
    redis_server.kill()
    waits = [await state.pacer.reserve("client", 1.0, 8) for _ in range(4)]
    assert [round(wait) for wait in waits] == [0, 0, 4, 8]


async def test_every_worker_leads_without_redis(redis_server: RedisServer, state: State, other: State) -> None:
    redis_server.kill()
    assert await state.leases.acquire("poller", "one", 60)
    assert await other.leases.acquire("poller", "two", 60)
    await state.leases.release("poller", "one")


async def test_value_deleted_while_redis_is_away_is_gone_in_this_worker(
    redis_server: RedisServer, state: State
) -> None:
    redis_server.kill()
    await state.key_value.set("token", b"alice", 60)
    await state.key_value.delete("token")
    assert await state.key_value.get("token") is None


async def test_closing_while_redis_hangs_is_quick(redis_server: RedisServer) -> None:
    state = await open_state(redis_server.address, workers=1)
    reader = asyncio.create_task(state.mailboxes.receive("worker", 10))
    await asyncio.sleep(0.05)
    redis_server.suspend()
    await asyncio.wait_for(state.aclose(), 1)
    await asyncio.wait_for(state.aclose(), 1)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    redis_server.resume()
