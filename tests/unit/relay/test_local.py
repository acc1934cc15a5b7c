import asyncio
import random
from hashlib import sha256

import pytest

from resource_server.relay.assembly import StreamLimits
from resource_server.relay.base import RelayFailed
from resource_server.relay.local import LocalStreams, RelayLimits
from resource_server.relay.stream import MAX_WAITING_POSTS, LocalStream
from resource_server.relay.tickets import Tickets
from tests.unit.relay.posts import ATTEMPT, JSON_HEAD, OTHER_ATTEMPT, answer, end_of, post

PARTS = [f'data: {{"n": {n}, "text": "é"}}\n\n' for n in range(40)]


def open_streams(
    *,
    stream: StreamLimits | None = None,
    streams: int = 10,
    memory_bytes: int = 1 << 20,
    backpressure_wait_s: float = 10,
) -> LocalStreams:
    limits = RelayLimits(stream or StreamLimits(), streams, memory_bytes, backpressure_wait_s)
    return LocalStreams("https://gateway/relay/", Tickets(b"master"), "w1", limits)


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


async def send(streams: LocalStreams, stream: LocalStream, *bodies: bytes) -> list[int]:
    return [(await streams.ingest(stream.stream_id, stream.ticket, body)).status for body in bodies]


async def read_all(stream: LocalStream) -> bytes:
    parts: list[bytes] = []
    while data := await stream.read(1):
        parts.append(data)
    assert data == b"", "silence instead of the end"
    return b"".join(parts)


async def test_answer_arrives_in_parts_and_ends() -> None:
    streams = open_streams()
    stream = streams.open("polaris/vllm/llama", 60)
    assert stream.url == f"https://gateway/relay/{stream.stream_id}"
    started, first, *rest = answer(PARTS)
    assert await send(streams, stream, started) == [200]
    assert await stream.started(1)
    assert await stream.head(0.01) is None
    await send(streams, stream, first)
    assert await stream.head(1) == (200, {"content-type": "application/json"})
    assert await stream.read(1) == PARTS[0].encode()
    assert await stream.read(0.01) is None
    assert set(await send(streams, stream, *rest)) == {200}
    assert stream.is_complete()
    assert await read_all(stream) == "".join(PARTS[1:]).encode()
    assert await stream.read(1) == b""


async def test_reader_wakes_when_data_comes() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    reader = asyncio.create_task(stream.read(10))
    await asyncio.sleep(0)
    await send(streams, stream, *answer(PARTS)[:2])
    assert await asyncio.wait_for(reader, 1) == PARTS[0].encode()


@pytest.mark.parametrize("seed", range(20))
async def test_any_order_inside_the_window_with_duplicates_gives_the_same_bytes(seed: int) -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    shuffle = seeded(seed)
    keyed = [(place + shuffle.uniform(0, 12), body) for place, body in enumerate(answer(PARTS))]
    bodies = [body for _, body in sorted(keyed)]
    for body in bodies:
        assert await send(streams, stream, body) == [200]
        assert await send(streams, stream, shuffle.choice(bodies[: bodies.index(body) + 1])) == [200]
    assert stream.is_complete()
    assert await read_all(stream) == "".join(PARTS).encode()


@pytest.mark.parametrize("seed", range(20))
async def test_any_order_with_retries_of_what_was_refused_gives_the_same_bytes(seed: int) -> None:
    streams = open_streams(stream=StreamLimits(early_messages=4, early_bytes=100))
    stream = streams.open("target", 60)
    unsent = answer(PARTS)
    seeded(seed).shuffle(unsent)
    while unsent:
        body = unsent.pop(0)
        (status,) = await send(streams, stream, body)
        assert status in {200, 409}
        if status == 409:
            unsent.append(body)
    assert await read_all(stream) == "".join(PARTS).encode()


async def test_gap_is_never_read_over() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    bodies = answer(PARTS[:5])
    await send(streams, stream, *bodies[:3], *bodies[4:])
    assert await stream.read(1) == "".join(PARTS[:2]).encode()
    assert await stream.read(0.01) is None
    assert not stream.is_complete()
    await send(streams, stream, bodies[3])
    assert await read_all(stream) == "".join(PARTS[2:5]).encode()


async def test_message_beyond_the_window_is_refused_without_effect() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    bodies = answer(PARTS)
    assert await send(streams, stream, bodies[31], bodies[32]) == [200, 409]


async def test_data_ahead_of_its_turn_is_bounded() -> None:
    streams = open_streams(stream=StreamLimits(early_bytes=10))
    stream = streams.open("target", 60)
    assert await send(streams, stream, post(2, data="x" * 6), post(3, data="x" * 6)) == [200, 409]


async def test_first_attempt_wins() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    bodies, others = answer(PARTS[:3]), answer(["another"], attempt=OTHER_ATTEMPT)
    assert await send(streams, stream, bodies[0], others[0], *others[1:]) == [200, 410, 410, 410]
    assert await send(streams, stream, post(None, attempt=OTHER_ATTEMPT)) == [410]
    assert set(await send(streams, stream, *bodies)) == {200}
    assert await read_all(stream) == "".join(PARTS[:3]).encode()


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": 2},
        {"bytes": 4},
        {"sha256": sha256(b"other").hexdigest()},
    ],
)
async def test_end_that_contradicts_what_came_fails_the_stream(changed: dict[str, object]) -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    end = {**end_of(["hello"]), **changed}
    statuses = await send(streams, stream, post(0), post(1, data="hello", **JSON_HEAD), post(2, end=end))
    assert statuses == [200, 200, 410]
    assert await stream.read(1) == b"hello"
    with pytest.raises(RelayFailed, match="the end says"):
        await stream.read(1)
    assert not stream.is_complete()


@pytest.mark.parametrize(
    "bodies",
    [
        [post(1, data="x")],
        [post(1, end=end_of([]))],
        [post(1, **JSON_HEAD), post(2, **JSON_HEAD)],
    ],
)
async def test_contradiction_fails_the_stream(bodies: list[bytes]) -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    statuses = await send(streams, stream, post(0), *bodies, post(None))
    assert statuses[-2:] == [410, 410]
    with pytest.raises(RelayFailed):
        await stream.read(1)


async def test_message_waiting_behind_the_end_fails_the_stream() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    bodies = answer(["hello"])
    await send(streams, stream, post(3, data="more"), *bodies)
    assert await stream.read(1) == b"hello"
    with pytest.raises(RelayFailed):
        await stream.read(1)


async def test_after_the_end_replays_and_pings_are_harmless_and_more_is_refused() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    bodies = answer(["hello"])
    await send(streams, stream, *bodies)
    assert await send(streams, stream, *bodies, post(None), post(3, data="x")) == [200, 200, 200, 200, 410]
    assert await read_all(stream) == b"hello"


async def test_missing_end_is_silence_and_never_the_end() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    await send(streams, stream, *answer(["hello"])[:-1])
    assert await stream.read(1) == b"hello"
    assert await stream.read(0.02) is None
    assert not stream.is_complete()


async def test_error_of_the_function_is_raised_after_what_came_before_it() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    error = {"code": "framework_broken", "message": "connection reset"}
    body = post(2, error=error)
    assert await send(streams, stream, *answer(["hello"])[:2], body, body) == [200, 200, 200, 200]
    assert await stream.head(1) is not None
    assert await stream.read(1) == b"hello"
    with pytest.raises(RelayFailed, match="framework_broken: 'connection reset'"):
        await stream.read(1)


async def test_error_before_the_head_is_raised_by_head() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    error = {"code": "framework_unreachable", "message": "refused"}
    await send(streams, stream, post(0), post(1, error=error))
    with pytest.raises(RelayFailed, match="framework_unreachable"):
        await stream.head(1)


async def test_closed_stream_answers_410_and_its_reader_is_woken() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    await send(streams, stream, post(0))
    reader = asyncio.create_task(stream.read(10))
    await asyncio.sleep(0)
    await stream.aclose()
    await stream.aclose()
    with pytest.raises(RelayFailed):
        await asyncio.wait_for(reader, 1)
    assert await send(streams, stream, post(1), post(None)) == [410, 410]


async def test_full_window_makes_the_post_wait_until_the_reader_reads() -> None:
    streams = open_streams(stream=StreamLimits(window_bytes=10))
    stream = streams.open("target", 60)
    bodies = answer(["0123456789", "more"])
    await send(streams, stream, *bodies[:2])
    waiting = asyncio.create_task(send(streams, stream, bodies[2]))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    assert await stream.read(1) == b"0123456789"
    assert await asyncio.wait_for(waiting, 1) == [200]
    assert await stream.read(1) == b"more"


async def test_full_window_ends_the_waiting_when_the_stream_is_closed() -> None:
    streams = open_streams(stream=StreamLimits(window_bytes=10))
    stream = streams.open("target", 60)
    bodies = answer(["0123456789", "more"])
    await send(streams, stream, *bodies[:2])
    waiting = asyncio.create_task(send(streams, stream, bodies[2]))
    await asyncio.sleep(0)
    await stream.aclose()
    assert await asyncio.wait_for(waiting, 1) == [410]


async def test_full_window_without_a_reader_is_503() -> None:
    streams = open_streams(stream=StreamLimits(window_bytes=10), backpressure_wait_s=0.05)
    stream = streams.open("target", 60)
    bodies = answer(["0123456789", "more"])
    assert await send(streams, stream, *bodies[:3]) == [200, 200, 503]


async def test_only_a_few_posts_of_a_stream_may_wait() -> None:
    streams = open_streams(stream=StreamLimits(window_bytes=10))
    stream = streams.open("target", 60)
    bodies = answer(["0123456789", "more"])
    await send(streams, stream, *bodies[:2])
    posts = [asyncio.create_task(send(streams, stream, bodies[2])) for _ in range(MAX_WAITING_POSTS + 2)]
    await asyncio.sleep(0.01)
    assert [post.result() for post in posts if post.done()] == [[503], [503]]
    await stream.read(1)
    assert await asyncio.gather(*posts[:MAX_WAITING_POSTS]) == [[200]] * MAX_WAITING_POSTS


async def test_caps_fail_the_stream() -> None:
    streams = open_streams(stream=StreamLimits(total_bytes=10, total_messages=4))
    large, many = streams.open("target", 60), streams.open("target", 60)
    assert await send(streams, large, post(0), post(1, data="x" * 11, **JSON_HEAD)) == [200, 413]
    bodies = answer(["1", "2", "3", "4"])
    assert await send(streams, many, *bodies) == [200, 200, 200, 200, 413, 410]
    with pytest.raises(RelayFailed, match="too large"):
        await large.read(1)


async def test_message_over_a_mebibyte_is_413_without_effect() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    assert await send(streams, stream, post(0, padding="x" * (1 << 20))) == [413]
    assert not await stream.started(0.01)


async def test_malformed_message_is_400_without_effect() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    assert await send(streams, stream, b"{", post(-1)) == [400, 400]
    assert not await stream.started(0.01)


async def test_forged_ticket_has_no_effect_of_any_kind() -> None:
    streams = open_streams()
    stream, other = streams.open("target", 60), streams.open("target", 60)
    heard_at = stream.heard_at()
    ended = streams.open("target", -1)
    for stream_id, ticket in [
        (stream.stream_id, other.ticket),
        (stream.stream_id, ""),
        (stream.stream_id, stream.ticket[:-1]),
        (stream.stream_id, stream.ticket + "0"),
        (ended.stream_id, ended.ticket),
        ("w1.unknown", stream.ticket),
    ]:
        assert (await streams.ingest(stream_id, ticket, post(0))).status == 403
    assert stream.heard_at() == heard_at
    assert not await stream.started(0.01)
    assert await send(streams, stream, *answer(["hello"], attempt=OTHER_ATTEMPT)) == [200] * 3


async def test_ping_is_a_sign_of_life() -> None:
    streams = open_streams()
    stream = streams.open("target", 60)
    before = stream.heard_at()
    await asyncio.sleep(0.01)
    assert await send(streams, stream, post(None, attempt=ATTEMPT)) == [200]
    assert stream.heard_at() > before


async def test_streams_are_bounded_and_closing_makes_room() -> None:
    streams = open_streams(streams=2)
    first, _ = streams.open("target", 60), streams.open("target", 60)
    with pytest.raises(RelayFailed, match="too many"):
        streams.open("target", 60)
    await first.aclose()
    streams.open("target", 60)


async def test_memory_of_all_streams_is_bounded_and_given_back() -> None:
    streams = open_streams(memory_bytes=100)
    one, two = streams.open("target", 60), streams.open("target", 60)
    bodies = answer(["x" * 60, "y" * 60])
    assert await send(streams, one, bodies[0], bodies[2], bodies[1]) == [200, 200, 200]
    assert await send(streams, two, post(0)) == [503]
    await one.read(1)
    assert await send(streams, two, post(0), post(2, data="z" * 200)) == [200, 200]
    assert await send(streams, one, bodies[3]) == [503]
    await two.aclose()
    assert await send(streams, one, bodies[3]) == [200]


async def test_aclose_closes_every_stream() -> None:
    streams = open_streams()
    opened = [streams.open("target", 60) for _ in range(3)]
    await streams.aclose()
    assert [(await send(streams, stream, post(0)))[0] for stream in opened] == [410] * 3
