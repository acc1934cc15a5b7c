"""Where requests go when targets fail, are full, or are not hot yet."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from resource_server.backends.base import UpstreamUnavailable
from resource_server.domain.errors import AnswerCut, BackendError, ModelLoading, ModelOffline, Overloaded
from resource_server.domain.replies import Reply, StreamReply
from resource_server.domain.states import ModelState
from resource_server.services import answer_stream, approach, holding, patient_answer
from resource_server.state.memory import MemoryState
from tests.unit.services.fakes import WHOLE_STREAM, FakeUpstream, World

ANSWER = b'{"choices": [{"message": {"content": "hello"}}]}'
JSON = {"content-type": "application/json"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same waits, in less time."""
    monkeypatch.setattr(holding, "LOOK_S", 0.02)
    monkeypatch.setattr(approach, "LOOK_S", 0.02)
    monkeypatch.setattr(approach, "QUEUE_WAIT_S", 0.2)
    monkeypatch.setattr(answer_stream, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(patient_answer, "SILENT_S", 0.1)
    monkeypatch.setattr(patient_answer, "HEARTBEAT_S", 0.05)


@pytest.fixture
async def worlds() -> AsyncIterator[list[World]]:
    made: list[World] = []
    yield made
    for world in made:
        await world.routing.aclose()


def whole() -> FakeUpstream:
    return FakeUpstream(ANSWER, b"", headers=JSON)


async def whole_after(seconds: float) -> FakeUpstream:
    await asyncio.sleep(seconds)
    return whole()


async def read_body(reply: Reply | StreamReply) -> bytes:
    if isinstance(reply, Reply):
        return reply.body
    body = b"".join([part async for part in reply.stream])
    await reply.stream.aclose()
    return body


async def test_target_that_fails_in_a_row_is_no_longer_asked() -> None:
    world = World(a=lambda: UpstreamUnavailable("down"))
    for _ in range(5):
        with pytest.raises(BackendError):
            await world.ask(stream=False)
    with pytest.raises(ModelOffline):
        await world.ask(stream=False)
    assert len(world.backend.calls) == 5


async def test_requests_go_elsewhere_while_a_target_is_ejected() -> None:
    world = World(a=lambda: UpstreamUnavailable("down"), b=whole)
    for _ in range(30):
        reply = await world.ask(stream=False)
        assert reply.headers["x-gateway-cluster"] == "b"
    assert sum(call.target.cluster == "a" for call in world.backend.calls) <= 5


async def test_full_target_lets_the_next_in_when_one_ends() -> None:
    world = World(max_concurrency=1, a=lambda: whole_after(0.05))
    replies = await asyncio.gather(*(world.ask(stream=False) for _ in range(3)))
    assert [reply.body for reply in replies] == [ANSWER] * 3


async def test_full_target_is_overloaded_after_a_while() -> None:
    world = World(max_concurrency=1, a=lambda: whole_after(2))
    first = asyncio.create_task(world.ask(stream=False))
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded) as raised:
        await world.ask(stream=False)
    assert 1 <= int(raised.value.headers["retry-after"]) <= 10
    first.cancel()
    await asyncio.wait({first})


async def test_cancelled_request_gives_its_place_back() -> None:
    world = World(max_concurrency=1, a=lambda: whole_after(2))
    first = asyncio.create_task(world.ask(stream=False))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait({first})
    world.backend.openings["a"] = whole
    assert isinstance(await world.ask(stream=False), Reply)


async def test_stream_holds_its_place_until_it_is_closed() -> None:
    world = World(max_concurrency=1, a=lambda: FakeUpstream(*WHOLE_STREAM))
    reply = await world.ask()
    with pytest.raises(Overloaded):
        await world.ask()
    await reply.stream.aclose()
    again = await world.ask()
    await again.stream.aclose()


async def test_cold_model_is_started_once_and_all_who_wait_are_answered(worlds: list[World]) -> None:
    world = World(a=lambda: whole_after(0.3))
    worlds.append(world)
    world.backend.states["a"] = ModelState.COLD
    asking = [asyncio.create_task(world.ask(stream=False, user=f"u{number}")) for number in range(20)]
    await asyncio.sleep(0.1)
    assert len(world.backend.calls) == 1
    world.backend.states["a"] = ModelState.HOT
    world.backend.openings["a"] = whole
    replies = await asyncio.gather(*asking)
    bodies = [
        reply.body if isinstance(reply, Reply) else b"".join([part async for part in reply.stream]) for reply in replies
    ]
    assert [body.strip() for body in bodies] == [ANSWER] * 20
    assert sum(call.request_id.startswith("warm_") for call in world.backend.calls) == 1


async def test_stream_for_a_cold_model_says_where_it_stands(worlds: list[World]) -> None:
    world = World(a=lambda: whole_after(0.5))
    worlds.append(world)
    world.backend.states["a"] = ModelState.QUEUED
    reply = await world.ask()
    assert reply.headers["x-model-state"] == "queued"
    said = b""
    async for part in reply.stream:
        said += part
        world.backend.states["a"] = ModelState.HOT
        world.backend.openings["a"] = lambda: FakeUpstream(*WHOLE_STREAM)
    await reply.stream.aclose()
    assert said.startswith(b": queued position=1\n\n")
    assert said.endswith(b"data: [DONE]\n\n")


async def test_model_that_does_not_start_in_time_is_loading(worlds: list[World]) -> None:
    world = World(a=lambda: whole_after(5))
    worlds.append(world)
    world.backend.states["a"] = ModelState.STARTING
    with pytest.raises(ModelLoading) as raised:
        await world.ask(stream=False, client_timeout_s=0.05)
    assert raised.value.headers["x-model-state"] == "starting"
    assert 1 <= int(raised.value.headers["retry-after"]) <= 60


async def test_held_answer_in_one_piece_is_preceded_by_white_space(worlds: list[World]) -> None:
    world = World(a=lambda: whole_after(0.3))
    worlds.append(world)
    world.backend.states["a"] = ModelState.COLD
    reply = await world.ask(stream=False)
    assert isinstance(reply, StreamReply)
    world.backend.states["a"] = ModelState.HOT
    world.backend.openings["a"] = whole
    body = await read_body(reply)
    assert body.startswith(b" ")
    assert body.strip() == ANSWER
    assert world.records[0].status == 200


async def test_model_that_cannot_start_is_offline(worlds: list[World], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_answer, "SILENT_S", 20)
    world = World(a=lambda: UpstreamUnavailable("no such queue"))
    worlds.append(world)
    world.backend.states["a"] = ModelState.COLD
    with pytest.raises(ModelOffline):
        await world.ask(stream=False, client_timeout_s=30)


async def test_request_that_is_held_moves_to_a_target_that_becomes_hot(worlds: list[World]) -> None:
    world = World(a=lambda: whole_after(5), b=whole)
    worlds.append(world)
    world.backend.states |= {"a": ModelState.STARTING, "b": ModelState.QUEUED}
    asking = asyncio.create_task(world.ask(stream=False, client_timeout_s=30))
    await asyncio.sleep(0.05)
    world.backend.states["b"] = ModelState.HOT
    reply = await asking
    assert reply.headers["x-gateway-cluster"] == "b"


async def test_target_that_goes_away_under_its_waiters_sends_them_on(worlds: list[World]) -> None:
    world = World(a=lambda: whole_after(5), b=whole)
    worlds.append(world)
    world.backend.states |= {"a": ModelState.STARTING, "b": ModelState.COLD}
    asking = asyncio.create_task(world.ask(stream=False, client_timeout_s=30))
    await asyncio.sleep(0.05)
    world.backend.states["a"] = ModelState.OFFLINE
    reply = await asking
    assert isinstance(reply, Reply)
    assert reply.headers["x-gateway-cluster"] == "b"


async def test_target_that_is_offline_is_tried_as_a_last_resort_if_the_operator_allows_it() -> None:
    for last_resort in (False, True):
        world = World(last_resort=last_resort, a=whole)
        world.backend.states["a"] = ModelState.OFFLINE
        if last_resort:
            assert (await world.ask(stream=False)).headers["x-model-state"] == "offline"
        else:
            with pytest.raises(ModelOffline):
                await world.ask(stream=False)


async def test_one_that_leaves_takes_nobody_along(worlds: list[World]) -> None:
    world = World(a=lambda: whole_after(0.2))
    worlds.append(world)
    world.backend.states["a"] = ModelState.COLD
    first, second = (asyncio.create_task(world.ask(stream=False)) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    await asyncio.wait({first})
    world.backend.states["a"] = ModelState.HOT
    world.backend.openings["a"] = whole
    assert (await second).headers["x-gateway-cluster"] == "a"


@pytest.mark.parametrize(
    ("state", "code"), [(ModelState.OFFLINE, "model_offline"), (ModelState.MAINTENANCE, "maintenance")]
)
async def test_held_answer_that_fails_after_its_beginning_is_cut(
    worlds: list[World], state: ModelState, code: str
) -> None:
    world = World(a=lambda: whole_after(0.3))
    worlds.append(world)
    world.backend.states["a"] = ModelState.COLD
    reply = await world.ask(stream=False)
    assert isinstance(reply, StreamReply)
    world.backend.states["a"] = state
    with pytest.raises(AnswerCut):
        await read_body(reply)
    await reply.stream.aclose()
    [record] = world.records
    assert (record.status, record.error_code) == (200, code)


async def test_workers_start_a_model_once_between_them_and_all_hear_of_it(worlds: list[World]) -> None:
    state = MemoryState()
    first, second = World(state=state, a=lambda: whole_after(0.2)), World(state=state, owner="second", a=whole)
    worlds += [first, second]
    for world in worlds:
        world.backend.states["a"] = ModelState.COLD
    asking = [asyncio.create_task(world.ask(stream=False, client_timeout_s=30)) for world in worlds]
    await asyncio.sleep(0.05)
    first.backend.openings["a"] = whole
    assert [(await read_body(reply)).strip() for reply in await asyncio.gather(*asking)] == [ANSWER] * 2
    calls = [call.request_id for world in worlds for call in world.backend.calls]
    assert sum(request_id.startswith("warm_") for request_id in calls) == 1


async def test_worker_takes_over_the_start_from_one_that_is_gone(worlds: list[World]) -> None:
    state = MemoryState()
    first, second = World(state=state, a=lambda: whole_after(5)), World(state=state, owner="second", a=whole)
    worlds += [first, second]
    for world in worlds:
        world.backend.states["a"] = ModelState.COLD
    lost, kept = (asyncio.create_task(world.ask(stream=False, client_timeout_s=30)) for world in worlds)
    await asyncio.sleep(0.1)
    assert not second.backend.calls
    lost.cancel()
    await asyncio.wait({lost})
    await first.routing.aclose()
    assert (await read_body(await kept)).strip() == ANSWER


async def test_requests_that_begin_alike_go_to_the_same_target_in_every_worker() -> None:
    state = MemoryState()
    state.shared = True  # as Redis is
    first, second = (World(state=state, owner=owner, a=whole, b=whole, c=whole) for owner in ("first", "second"))
    for number in range(10):
        session = f"session {number}"
        seen = {
            (await world.ask(stream=False, session_id=session)).headers["x-gateway-cluster"]
            for world in (first, second, first, second)
        }
        assert len(seen) == 1


async def test_homes_that_are_no_homes_are_passed_over() -> None:
    state = MemoryState()
    state.shared = True
    world = World(state=state, a=whole, b=whole)
    request = world.routing.build_request({"session_id": "s"}, "sub-of-alice")
    assert request.find_affinity_key is not None
    key = request.find_affinity_key()
    assert key is not None
    for garbage in (b"", b"x", b"9" * 1000, b"-1", b"\xff"):
        await state.key_value.set(f"home:{key.hex()}", garbage, 60)
        assert isinstance(await world.ask(stream=False, session_id="s"), Reply)
