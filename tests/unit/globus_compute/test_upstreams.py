"""Relay and result race: the first complete one wins, contradictions and silence are errors."""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from resource_server.backends.base import Upstream, UpstreamBroken, UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.globus_compute.flight import Flight
from resource_server.backends.globus_compute.opening import open_relayed, open_result
from resource_server.backends.globus_compute.service import TaskResult
from resource_server.backends.globus_compute.tasks import Tasks
from resource_server.relay.base import Relay, RelayStream
from resource_server.relay.relay import open_relay
from resource_server.state.memory import MemoryState
from tests.unit.globus_compute.fakes import build_call, build_settings, our_result

ATTEMPT, OTHER = "a" * 32, "b" * 32
EVENTS = {"content-type": "text/event-stream"}
HEAD: dict[str, Any] = {"status": 200, "headers": EVENTS}
FIRST, LAST = "data: 1\n\n", "data: [DONE]\n\n"


def totals(*parts: str) -> dict[str, Any]:
    data = "".join(parts).encode()
    return {"messages": len(parts), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@dataclass
class Scene:
    """One call under way, with the function's and the service's parts in the hands of the test."""

    relay: Relay
    stream: RelayStream
    flight: Flight
    tasks: Tasks
    opening: "asyncio.Task[Upstream]"

    async def post(self, *, attempt: str = ATTEMPT, **message: Any) -> int:
        body = json.dumps({"attempt": attempt, **message}).encode()
        return (await self.relay.ingest(self.stream.stream_id, self.stream.ticket, body)).status

    def end(self, result: TaskResult) -> None:
        self.tasks.settle("t", result)

    async def answer(self) -> Upstream:
        return await asyncio.wait_for(self.opening, 5)


Begin = Callable[..., Any]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    relay = await open_relay(MemoryState(), "https://gateway.example.org/resource_server/relay", b"k" * 50, "w")
    scenes: list[Scene] = []

    async def start(
        *, timeout_s: float = 5, stream: bool = True, begin_within_s: float | None = None, **settings: Any
    ) -> Scene:
        tasks, relay_stream = Tasks(5), await relay.open("c/vllm/m", 60)
        call = replace(build_call(stream=stream, timeout_s=timeout_s), begin_within_s=begin_within_s)
        flight = Flight(
            call, build_settings(**settings), lambda flight: tasks.forget(flight.task) if flight.task else None
        )
        flight.stream, flight.task = relay_stream, tasks.add("t", relay_stream)
        opening = asyncio.create_task(open_relayed(flight, relay_stream))
        scenes.append(Scene(relay, relay_stream, flight, tasks, opening))
        await asyncio.sleep(0)
        return scenes[-1]

    yield start
    for scene in scenes:
        scene.opening.cancel()
        await scene.flight.aclose()
    await relay.aclose()


async def read_all(upstream: Upstream) -> bytes:
    parts = []
    while (data := await upstream.read(0.1)) != b"":
        parts.append(data or b"")
    return b"".join(parts)


async def test_relayed_answer_is_read_as_it_comes(begin: Begin) -> None:
    scene = await begin()
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST)
    upstream = await scene.answer()
    assert (upstream.status, upstream.headers["content-type"]) == (200, "text/event-stream")
    assert await upstream.read(1) == FIRST.encode()
    assert await upstream.read(0.01) is None
    await scene.post(seq=2, data=LAST, end=totals(FIRST, LAST))
    assert await upstream.read(1) == LAST.encode()
    assert await upstream.read(1) == await upstream.read(1) == b""


async def test_closing_early_tells_the_function(begin: Begin) -> None:
    scene = await begin()
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST)
    upstream = await scene.answer()
    await upstream.aclose()
    await upstream.aclose()
    assert await scene.post() == 410
    assert len(scene.tasks) == 0


async def test_result_with_the_body_wins_where_the_relay_says_nothing(begin: Begin) -> None:
    scene = await begin()
    scene.end(our_result(status=200, headers=EVENTS, relayed=False, body=FIRST + LAST))
    assert await read_all(await scene.answer()) == (FIRST + LAST).encode()


async def test_framework_refusal_in_the_result_is_an_answer(begin: Begin) -> None:
    scene = await begin()
    scene.end(our_result(status=400, headers={}, relayed=False, body='{"error": {}}'))
    upstream = await scene.answer()
    assert (upstream.status, await read_all(upstream)) == (400, b'{"error": {}}')


async def test_failure_in_the_result_ends_the_wait_early(begin: Begin) -> None:
    scene = await begin(timeout_s=60)
    await scene.post(seq=0)
    scene.end(our_result(error={"code": "framework_unreachable", "message": "refused"}))
    with pytest.raises(UpstreamUnavailable, match="framework_unreachable"):
        await scene.answer()


async def test_failure_in_the_relay_ends_the_wait_early(begin: Begin) -> None:
    scene = await begin(timeout_s=60)
    await scene.post(seq=0)
    await scene.post(seq=1, error={"code": "framework_timeout", "message": "silent"})
    with pytest.raises(UpstreamUnavailable, match="framework_timeout"):
        await scene.answer()


async def test_second_attempt_that_was_sent_away_changes_nothing(begin: Begin) -> None:
    scene = await begin()
    await scene.post(seq=0)
    assert await scene.post(seq=0, attempt=OTHER) == 410
    scene.end(our_result(error={"code": "stream_gone", "message": "another attempt won"}))
    await asyncio.sleep(0.05)
    await scene.post(seq=1, **HEAD, data=FIRST, end=totals(FIRST))
    assert await read_all(await scene.answer()) == FIRST.encode()


async def test_silent_function_is_given_up_before_its_answer(begin: Begin) -> None:
    scene = await begin(silence_timeout_s=0.1)
    await scene.post(seq=0)
    with pytest.raises(UpstreamUnavailable, match="fell silent"):
        await scene.answer()


async def test_silent_function_breaks_its_answer(begin: Begin) -> None:
    scene = await begin(silence_timeout_s=0.2)
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST)
    upstream = await scene.answer()
    assert await upstream.read(1) == FIRST.encode()
    with pytest.raises(UpstreamBroken, match="fell silent"):
        await upstream.read(3)


async def test_pings_keep_a_silent_answer_alive(begin: Begin) -> None:
    scene = await begin(silence_timeout_s=0.3)
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST)
    upstream = await scene.answer()
    await upstream.read(1)
    for _ in range(5):
        await scene.post()
        assert await upstream.read(0.1) is None


async def test_task_that_never_starts_is_given_up(begin: Begin) -> None:
    scene = await begin(begin_within_s=0.1)
    with pytest.raises(UpstreamUnavailable, match="did not begin"):
        await scene.answer()


async def test_deadline_before_the_head_is_a_timeout(begin: Begin) -> None:
    scene = await begin(timeout_s=0.2)
    with pytest.raises(UpstreamTimeout):
        await scene.answer()


async def test_deadline_within_the_answer_is_a_timeout(begin: Begin) -> None:
    scene = await begin(timeout_s=0.3)
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST)
    upstream = await scene.answer()
    began = time.monotonic()
    with pytest.raises(UpstreamTimeout):
        await read_all(upstream)
    assert time.monotonic() - began < 1


async def test_relay_that_was_lost_is_completed_from_the_result(begin: Begin) -> None:
    scene = await begin()
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST)
    upstream = await scene.answer()
    assert await upstream.read(1) == FIRST.encode()
    scene.end(our_result(**HEAD, relayed=False, body=FIRST + LAST))
    assert await read_all(upstream) == LAST.encode()


async def test_result_that_contradicts_the_relay_breaks_the_answer(begin: Begin) -> None:
    scene = await begin()
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST)
    upstream = await scene.answer()
    await upstream.read(1)
    scene.end(our_result(**HEAD, relayed=False, body="data: 2\n\n" + LAST))
    with pytest.raises(UpstreamBroken, match="contradicts"):
        await read_all(upstream)


async def test_task_that_fails_within_its_answer_breaks_it(begin: Begin) -> None:
    scene = await begin()
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST)
    upstream = await scene.answer()
    await upstream.read(1)
    scene.end(TaskResult(None, "the worker was lost"))
    with pytest.raises(UpstreamBroken, match="worker was lost"):
        await read_all(upstream)


async def test_success_without_the_last_message_is_broken(begin: Begin) -> None:
    scene = await begin()
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST)
    upstream = await scene.answer()
    scene.end(our_result(**HEAD, relayed=True, end=totals(FIRST, LAST)))
    assert await upstream.read(1) == FIRST.encode()
    with pytest.raises(UpstreamBroken, match="no end"):
        await read_all(upstream)


async def test_last_message_may_come_after_the_result(begin: Begin) -> None:
    scene = await begin()
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST)
    upstream = await scene.answer()
    scene.end(our_result(**HEAD, relayed=True, end=totals(FIRST, LAST)))
    assert await upstream.read(1) == FIRST.encode()
    assert await upstream.read(0.1) is None
    await scene.post(seq=2, data=LAST, end=totals(FIRST, LAST))
    assert await read_all(upstream) == LAST.encode()


async def test_totals_that_do_not_agree_break_the_answer(begin: Begin) -> None:
    scene = await begin()
    await scene.post(seq=0)
    await scene.post(seq=1, **HEAD, data=FIRST, end=totals(FIRST, LAST))
    upstream = await scene.answer()
    with pytest.raises(UpstreamBroken):
        await read_all(upstream)


async def test_whole_answer_is_streamed_where_a_stream_was_asked_for(begin: Begin) -> None:
    scene = await begin()
    body = json.dumps({"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": "x"}}]})
    scene.end(our_result(status=200, headers={"content-type": "application/json"}, body=body))
    upstream = await scene.answer()
    assert upstream.headers["content-type"].startswith("text/event-stream")
    assert (await read_all(upstream)).endswith(LAST.encode())


async def test_answer_that_cannot_be_streamed_is_unavailable(begin: Begin) -> None:
    scene = await begin()
    scene.end(our_result(status=200, headers={"content-type": "application/json"}, body="{}"))
    with pytest.raises(UpstreamUnavailable, match="cannot be streamed"):
        await scene.answer()


@pytest.mark.parametrize("code", ["stream_gone", "bad_request"])
async def test_result_without_an_answer_is_unavailable(code: str) -> None:
    tasks = Tasks(5)
    flight = Flight(build_call(), build_settings(), lambda _flight: None)
    flight.task = tasks.add("t", None)
    tasks.settle("t", our_result(error={"code": code, "message": ""}))
    with pytest.raises(UpstreamUnavailable):
        await open_result(flight)


async def test_no_result_by_the_deadline_is_a_timeout() -> None:
    tasks = Tasks(5)
    flight = Flight(build_call(timeout_s=0.05), build_settings(), lambda _flight: None)
    flight.task = tasks.add("t", None)
    with pytest.raises(UpstreamTimeout):
        await open_result(flight)
