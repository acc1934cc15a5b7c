"""The main use case against a backend that does what the test says: one record, one close, whatever happens."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import orjson
import pytest

from resource_server.backends.base import UpstreamBroken, UpstreamTimeout, UpstreamUnavailable
from resource_server.domain.errors import BackendError, DeadlineExceeded, GatewayError, InvalidValue, ModelNotFound
from resource_server.domain.replies import StreamReply
from resource_server.services import answer_stream, attempts, inference
from tests.unit.services.fakes import DONE, SSE, WHOLE_STREAM, FakeUpstream, World, chunk

JSON = {"content-type": "application/json"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same waits, in less time."""
    monkeypatch.setattr(inference, "FIRST_EVENT_WAIT_S", 0.05)
    monkeypatch.setattr(attempts, "REFUSAL_WAIT_S", 0.02)
    monkeypatch.setattr(answer_stream, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(answer_stream, "LAST_WORD_S", 0.05)


async def late(seconds: float, what: object) -> object:
    await asyncio.sleep(seconds)
    return what


async def read_all(reply: StreamReply) -> bytes:
    data = b"".join([part async for part in reply.stream])
    await reply.stream.aclose()
    return data


async def cancelled_after(seconds: float, coroutine: Coroutine[Any, Any, Any]) -> None:
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def outcome(world: World) -> tuple[int, str, bool]:
    """Status, error code and whether the client left: of the one record."""
    (record,) = world.records
    return record.status, record.error_code, record.cancelled


async def test_stream_read_to_its_end_is_recorded_once_and_closed_once() -> None:
    upstream = FakeUpstream(*WHOLE_STREAM)
    world = World(a=upstream)
    data = await read_all(await world.ask())
    assert data.endswith(b"data: [DONE]\n\n")
    assert outcome(world) == (200, "", False)
    assert upstream.closed == 1


async def test_stream_that_fails_early_is_recorded_with_its_error() -> None:
    world = World(a=UpstreamUnavailable("refused"))
    with pytest.raises(BackendError):
        await world.ask()
    assert outcome(world) == (502, "backend_error", False)
    assert world.records[0].cluster == "a"


@pytest.mark.parametrize("steps", [(), (chunk("hello"),)], ids=["first read", "between events"])
async def test_client_that_leaves_while_it_reads_closes_the_upstream_once(steps: tuple[bytes, ...]) -> None:
    upstream = FakeUpstream(*steps)
    world = World(a=upstream)
    reply = await world.ask()
    await cancelled_after(0.12, read_all(reply))
    await reply.stream.aclose()
    await reply.stream.aclose()
    assert outcome(world) == (499, "", True)
    assert upstream.closed == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_client_that_leaves_while_a_target_opens_is_recorded_once(*, stream: bool) -> None:
    world = World(a=late(60, None))
    await cancelled_after(0.02, world.ask(stream=stream))
    assert outcome(world) == (499, "", True)


@pytest.mark.parametrize("stream", [True, False])
async def test_client_that_leaves_before_the_first_byte_closes_the_upstream_once(*, stream: bool) -> None:
    upstream = FakeUpstream(headers=SSE if stream else JSON)
    world = World(a=upstream)
    await cancelled_after(0.02, world.ask(stream=stream))
    assert outcome(world) == (499, "", True)
    assert upstream.closed == 1


async def test_stream_that_nobody_reads_is_closed_and_recorded() -> None:
    upstream = FakeUpstream(*WHOLE_STREAM)
    world = World(a=upstream)
    reply = await world.ask()
    await reply.stream.aclose()
    assert outcome(world) == (499, "", True)
    assert upstream.closed == 1


async def test_stream_closed_while_a_target_still_opens_leaves_no_task() -> None:
    world = World(a=late(60, None))
    reply = await world.ask()
    await reply.stream.aclose()
    assert outcome(world) == (499, "", True)


@pytest.mark.parametrize(
    "failing",
    [
        UpstreamUnavailable("no"),
        FakeUpstream(status=503),
        FakeUpstream(UpstreamBroken("cut")),
        FakeUpstream(b'data: {"error":{"message":"oom"}}\n\n'),
        FakeUpstream(DONE, b""),
        FakeUpstream(b"{}", headers=JSON),
    ],
    ids=["refused", "status without a word", "cut", "in-band error", "nothing but done", "no stream"],
)
async def test_target_that_fails_before_content_is_replaced_and_the_headers_name_the_other(
    failing: Any,
) -> None:
    world = World(a=failing, b=FakeUpstream(*WHOLE_STREAM))
    reply = await world.ask()
    assert reply.headers["x-gateway-cluster"] == "b"
    assert (await read_all(reply)).startswith(chunk("hello"))
    assert world.records[0].cluster == "b"
    if isinstance(failing, FakeUpstream):
        assert failing.closed == 1


async def test_move_after_the_headers_is_told_in_a_comment() -> None:
    world = World(a=late(0.12, UpstreamUnavailable("died")), b=FakeUpstream(*WHOLE_STREAM))
    reply = await world.ask()
    assert reply.headers["x-gateway-cluster"] == "a"
    data = await read_all(reply)
    assert data.startswith(b": waiting\n\n")
    assert b": moved to b/vllm\n\n" + chunk("hello") in data
    assert world.records[0].cluster == "b"


async def test_failure_of_the_last_target_after_the_headers_is_an_event() -> None:
    world = World(a=late(0.12, UpstreamUnavailable("died")))
    data = await read_all(await world.ask())
    assert b'"code":"backend_error"' in data
    assert b"[DONE]" not in data
    assert outcome(world) == (200, "backend_error", False)


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ((chunk("hello"), UpstreamBroken("cut")), "stream_interrupted"),
        ((chunk("hello"), b""), "stream_interrupted"),
        ((chunk("hello"), DONE, b""), "stream_interrupted"),
        ((chunk("hello"), chunk(finish="stop"), chunk("x", index=1), b""), "stream_interrupted"),
        ((chunk("hello"), b"data: {broken\n\n"), "stream_interrupted"),
        ((chunk("hello"), 9.9, 9.9, 9.9, 9.9, 9.9, 9.9), "stream_interrupted"),
        ((chunk("hello"), UpstreamTimeout("late")), "timeout"),
        ((chunk("hello"), KeyError("a bug")), "internal_error"),
    ],
    ids=["cut", "no finish", "done without finish", "second choice open", "garbage", "silence", "deadline", "bug"],
)
async def test_stream_that_does_not_finish_ends_with_an_error_and_no_done(steps: Any, code: str) -> None:
    upstream = FakeUpstream(*steps)
    world = World(a=upstream)
    data = await read_all(await world.ask())
    assert b"[DONE]" not in data
    assert orjson.loads(data.split(b"data: ")[-1])["error"]["code"] == code
    assert outcome(world) == (200, code, False)
    assert world.records[0].completion_tokens in {1, 2}
    assert upstream.closed == 1


@pytest.mark.parametrize(
    "body",
    [b'{"error":{"message":"oom","code":500}}', b'{"object":"error","message":"oom"}', b"[]", b"<html>"],
)
async def test_whole_answer_that_is_none_is_replaced_by_another_targets(body: bytes) -> None:
    good = FakeUpstream(b'{"choices":[],"error":null}', b"", headers=JSON)
    world = World(a=FakeUpstream(body, b"", headers=JSON), b=good)
    reply = await world.ask(stream=False)
    assert reply.body == b'{"choices":[],"error":null}'
    assert reply.headers["x-gateway-cluster"] == "b"
    assert outcome(world) == (200, "", False)


@pytest.mark.parametrize(
    ("fields", "failure", "status"),
    [({"messages": []}, InvalidValue, 400), ({"model": "other"}, ModelNotFound, 404)],
)
async def test_refusal_is_recorded_with_who_asked(fields: Any, failure: type[GatewayError], status: int) -> None:
    world = World(a=FakeUpstream())
    with pytest.raises(failure):
        await world.ask(**fields)
    (record,) = world.records
    assert (record.status, record.sub) == (status, "sub-of-alice")


@pytest.mark.parametrize("stream", [True, False])
async def test_deadline_is_504_and_tries_nobody_else(*, stream: bool) -> None:
    world = World(a=UpstreamTimeout("late"), b=FakeUpstream(*WHOLE_STREAM))
    with pytest.raises(DeadlineExceeded):
        await world.ask(stream=stream)
    assert outcome(world) == (504, "timeout", False)
    assert len(world.backend.calls) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_bug_in_a_backend_is_recorded_as_ours(*, stream: bool) -> None:
    world = World(a=KeyError("a bug"))
    with pytest.raises(KeyError):
        await world.ask(stream=stream)
    assert outcome(world) == (500, "internal_error", False)


@pytest.mark.parametrize("stream", [True, False])
async def test_bug_while_an_answer_is_read_still_closes_the_upstream(*, stream: bool) -> None:
    upstream = FakeUpstream(KeyError("a bug"), headers=SSE if stream else JSON)
    with pytest.raises(KeyError):
        await World(a=upstream).ask(stream=stream)
    assert upstream.closed == 1
