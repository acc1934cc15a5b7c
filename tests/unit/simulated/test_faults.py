"""Each failure on demand is the failure that it is named after."""

import time
from typing import Any

import orjson
import pytest

from resource_server.backends.base import UpstreamBroken, UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.simulated import SimulatedBackend
from resource_server.backends.simulated.upstream import SimulatedUpstream
from resource_server.domain.sse import StreamTap
from resource_server.domain.states import ModelState
from tests.unit.simulated.calls import call, read_all, target


async def open_fault(name: str, **fields: Any) -> SimulatedUpstream:
    return await SimulatedBackend().open(call(target(f"fault/{name}"), **fields))


async def tap_stream(name: str) -> StreamTap:
    tap = StreamTap(include_usage=True)
    tap.feed(await read_all(await open_fault(name, stream=True, stream_options={"include_usage": True})))
    return tap


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
@pytest.mark.parametrize("stream", [True, False])
async def test_number_is_the_status(status: int, *, stream: bool) -> None:
    upstream = await open_fault(str(status), stream=stream)
    assert upstream.status == status
    assert orjson.loads(await read_all(upstream))["error"]["code"] == status


async def test_refuse_never_opens() -> None:
    with pytest.raises(UpstreamUnavailable):
        await open_fault("refuse")


async def test_unknown_fault_is_not_found() -> None:
    assert (await open_fault("oops")).status == 404


@pytest.mark.parametrize("stream", [True, False])
async def test_slow_first_delays_the_first_token_only(*, stream: bool) -> None:
    started_at = time.monotonic()
    upstream = await open_fault("slow-first/0.1", stream=stream)
    assert (time.monotonic() - started_at < 0.09) is stream
    assert b"three" in await read_all(upstream)
    assert 0.1 <= time.monotonic() - started_at < 0.5


@pytest.mark.parametrize("stream", [True, False])
async def test_stall_mid_falls_silent_until_the_deadline(*, stream: bool) -> None:
    upstream = await open_fault("stall-mid", stream=stream, timeout_s=0.2)
    assert await upstream.read(1.0)
    assert await upstream.read(0.05) is None
    with pytest.raises(UpstreamTimeout):
        await read_all(upstream)


@pytest.mark.parametrize("stream", [True, False])
async def test_truncate_breaks_after_content(*, stream: bool) -> None:
    upstream = await open_fault("truncate", stream=stream)
    data = await upstream.read(1.0)
    assert data is not None
    assert b"one" in data or not stream
    with pytest.raises(UpstreamBroken):
        await upstream.read(1.0)


async def test_garbage_is_no_event_and_no_json() -> None:
    with pytest.raises(ValueError, match=r".+"):
        await tap_stream("garbage")
    with pytest.raises(ValueError, match=r".+"):
        orjson.loads(await read_all(await open_fault("garbage")))


async def test_error_event_comes_in_band_after_content() -> None:
    tap = await tap_stream("error-event")
    assert tap.content_started
    assert tap.error is not None
    assert tap.error["message"] == "EngineDeadError"


async def test_no_finish_says_done_without_a_reason() -> None:
    tap = await tap_stream("no-finish")
    assert (tap.done, tap.finished, tap.usage, tap.events) == (True, False, None, 4)


async def test_no_done_finishes_and_just_ends() -> None:
    tap = await tap_stream("no-done")
    assert (tap.done, tap.finished) == (False, True)


@pytest.mark.parametrize("state", list(ModelState))
async def test_state_is_reported_and_the_answer_is_whole(state: ModelState) -> None:
    where = target(f"fault/{state}")
    assert SimulatedBackend().state(where) is state
    assert (await open_fault(state)).status == 200


def test_target_without_a_fault_is_hot() -> None:
    assert SimulatedBackend().state(target()) is ModelState.HOT
