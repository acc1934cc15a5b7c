"""Posts that reach another worker than the one that owns the stream."""

import asyncio
import sys
import time

from redis import Redis

from resource_server.relay.assembly import StreamLimits
from resource_server.relay.base import Relay, RelayStream
from resource_server.relay.local import RelayLimits
from resource_server.relay.peers import SIGN_EVERY_S, SILENCE_S
from resource_server.relay.tickets import Tickets
from tests.integration.relay.conftest import SECRET, StartWorker
from tests.servers.redis import RedisServer
from tests.unit.relay.posts import answer, post
from tests.waiting import wait_until

PARTS = [f"data: {n} é\n\n" for n in range(30)]


async def send(relay: Relay, stream: RelayStream, *bodies: bytes) -> list[int]:
    return [(await relay.ingest(stream.stream_id, stream.ticket, body)).status for body in bodies]


async def read_all(stream: RelayStream) -> bytes:
    parts: list[bytes] = []
    while data := await stream.read(5):
        parts.append(data)
    assert data == b"", "silence instead of the end"
    return b"".join(parts)


async def test_posts_that_reach_any_worker_make_one_stream(start_worker: StartWorker) -> None:
    _, owner = await start_worker("w1")
    _, second = await start_worker("w2")
    _, third = await start_worker("w3")
    stream = await owner.open("target", 60)
    for n, body in enumerate(answer(PARTS)):
        assert await send((owner, second, third)[n % 3], stream, body) == [200]
    assert await read_all(stream) == "".join(PARTS).encode()


async def test_many_streams_are_forwarded_at_once(start_worker: StartWorker) -> None:
    _, owner = await start_worker("w1")
    _, other = await start_worker("w2")
    streams = [await owner.open("target", 60) for _ in range(50)]
    statuses = await asyncio.gather(*(send(other, stream, *answer(PARTS)) for stream in streams))
    assert {status for answers in statuses for status in answers} == {200}
    assert [await read_all(stream) for stream in streams] == ["".join(PARTS).encode()] * 50


async def test_owners_refusals_come_back(start_worker: StartWorker) -> None:
    _, owner = await start_worker("w1")
    _, other = await start_worker("w2")
    stream = await owner.open("target", 60)
    assert await send(other, stream, b"{", post(0), post(40)) == [400, 200, 409]
    assert (await other.ingest(stream.stream_id, stream.ticket[:-1], post(1))).status == 403
    await stream.aclose()
    assert await send(other, stream, post(1)) == [410]


async def test_backpressure_reaches_through_another_worker(start_worker: StartWorker) -> None:
    _, owner = await start_worker("w1", RelayLimits(StreamLimits(window_bytes=10)))
    _, other = await start_worker("w2")
    stream = await owner.open("target", 60)
    bodies = answer(["0123456789", "more"])
    assert await send(other, stream, *bodies[:2]) == [200, 200]
    waiting = asyncio.create_task(send(other, stream, *bodies[2:]))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    assert await stream.read(1) == b"0123456789"
    assert await read_all(stream) == b"more"
    assert await waiting == [200, 200]


async def test_closed_worker_is_gone_soon(start_worker: StartWorker) -> None:
    _, owner = await start_worker("w1")
    _, other = await start_worker("w2")
    stream = await owner.open("target", 60)
    await owner.aclose()
    started_at = time.monotonic()
    assert await send(other, stream, post(0)) == [410]
    assert time.monotonic() - started_at < SILENCE_S + 2


async def test_killed_worker_is_gone_within_ten_seconds(redis_server: RedisServer, start_worker: StartWorker) -> None:
    _, other = await start_worker("w2")
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.relay.worker", redis_server.address, SECRET.decode(), "w1"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert owner.stdout is not None
    stream_id, ticket = (await asyncio.wait_for(owner.stdout.readline(), 20)).decode().split()
    assert (await other.ingest(stream_id, ticket, post(0))).status == 200
    owner.kill()
    await owner.wait()
    killed_at = time.monotonic()
    assert (await other.ingest(stream_id, ticket, post(1))).status == 410
    assert time.monotonic() - killed_at < 10


async def test_flushed_redis_ends_no_stream(redis_server: RedisServer, start_worker: StartWorker) -> None:
    _, owner = await start_worker("w1", RelayLimits(StreamLimits(window_bytes=10)))
    _, other = await start_worker("w2")
    stream = await owner.open("target", 60)
    bodies = answer(["0123456789", "more"])
    await send(other, stream, *bodies[:2])
    waiting = asyncio.create_task(send(other, stream, *bodies[2:]))
    await asyncio.sleep(SILENCE_S + 0.6)  # just after the third sign of life: the fourth is far
    with Redis.from_url(redis_server.address) as client:
        client.flushall()
    await asyncio.sleep(SIGN_EVERY_S + 0.5)
    assert await stream.read(1) == b"0123456789"
    assert await waiting == [200, 200]
    assert await read_all(stream) == b"more"


async def test_streams_of_this_worker_go_on_without_redis(redis_server: RedisServer, start_worker: StartWorker) -> None:
    owner_state, owner = await start_worker("w1")
    other_state, other = await start_worker("w2")
    stream = await owner.open("target", 60)
    bodies = answer(PARTS)
    await send(other, stream, *bodies[:5])
    redis_server.kill()
    assert set(await send(owner, stream, *bodies[5:10])) == {200}
    await wait_until(other_state.is_degraded)
    started_at = time.monotonic()
    assert await send(other, stream, bodies[10]) == [503]
    assert time.monotonic() - started_at < 1
    redis_server.start()
    await wait_until(lambda: not (owner_state.is_degraded() or other_state.is_degraded()))
    for body in bodies[10:]:
        deadline = time.monotonic() + 20
        while (await send(other, stream, body)) != [200]:
            assert time.monotonic() < deadline
    assert await read_all(stream) == "".join(PARTS).encode()


async def test_post_under_way_when_redis_dies_is_503_soon(redis_server: RedisServer, start_worker: StartWorker) -> None:
    _, owner = await start_worker("w1", RelayLimits(StreamLimits(window_bytes=10)))
    _, other = await start_worker("w2")
    stream = await owner.open("target", 60)
    bodies = answer(["0123456789", "more"])
    await send(other, stream, *bodies[:2])
    waiting = asyncio.create_task(send(other, stream, bodies[2]))
    await asyncio.sleep(0.1)
    redis_server.kill()
    assert await asyncio.wait_for(waiting, 2) == [503]


async def test_post_under_way_when_this_worker_ends_is_503(start_worker: StartWorker) -> None:
    _, owner = await start_worker("w1", RelayLimits(StreamLimits(window_bytes=10)))
    _, other = await start_worker("w2")
    stream = await owner.open("target", 60)
    bodies = answer(["0123456789", "more"])
    await send(other, stream, *bodies[:2])
    waiting = asyncio.create_task(send(other, stream, bodies[2]))
    await asyncio.sleep(0.1)
    await other.aclose()
    assert await asyncio.wait_for(waiting, 2) == [503]


async def test_garbage_in_the_mailbox_harms_nobody(redis_server: RedisServer, start_worker: StartWorker) -> None:
    _, owner = await start_worker("w1")
    _, other = await start_worker("w2")
    stream = await owner.open("target", 60)
    with Redis.from_url(redis_server.address) as client:
        for garbage in (b"", b"\xff\n\xff", b"[[0,200]]", b'[0,"w2","w1.x","t"]\n{}', b"[" * 1000):
            client.xadd("gw:mail:relay:w1", {"m": garbage})
            client.xadd("gw:mail:relay:w2", {"m": garbage})
    assert await send(other, stream, *answer(PARTS)) == [200] * (len(PARTS) + 2)
    assert await read_all(stream) == "".join(PARTS).encode()


async def test_forged_ticket_sends_nothing_to_another_worker(
    redis_server: RedisServer, start_worker: StartWorker
) -> None:
    _, relay = await start_worker("w1")
    stream = await relay.open("target", 60)
    for stream_id in ("nobody.x", f"no/body.{stream.stream_id}", "w2|.é\x00"):
        assert (await relay.ingest(stream_id, stream.ticket, post(0))).status == 403
    with Redis.from_url(redis_server.address) as client:
        assert client.keys("gw:mail:*") == []


async def test_post_to_a_stream_of_a_worker_long_gone_is_410(start_worker: StartWorker) -> None:
    _, relay = await start_worker("w1")
    ticket = Tickets(SECRET).issue("w0.x", "target", 60)
    assert (await relay.ingest("w0.x", ticket, post(0))).status == 410
