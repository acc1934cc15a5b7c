"""What comes back when the framework, or the way to it, fails."""

import asyncio
import socket
import time

import aiohttp
import pytest

from resource_server.backends.base import (
    UpstreamBroken,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from resource_server.backends.openai_http import OpenAIHTTPBackend, build_session
from resource_server.backends.openai_http.upstream import MAX_ANSWER_BYTES
from tests.integration.openai_http.upstreams import Connection, call, read_all, serve, target


def closed_port_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


async def hang_up(connection: Connection) -> None:
    await connection.receive()


async def stall(connection: Connection) -> None:
    await connection.receive()
    await connection.wait_closed()


async def stream_then_wait(connection: Connection) -> None:
    await connection.receive()
    await connection.begin_stream()
    await connection.chunk(b"data: 1\n\n")
    await connection.wait_closed()


async def test_refused_connection_is_unavailable(backend: OpenAIHTTPBackend) -> None:
    with pytest.raises(UpstreamUnavailable):
        await backend.open(call(target(closed_port_url())))


async def test_hang_up_before_the_status_is_unavailable(backend: OpenAIHTTPBackend) -> None:
    async with serve(hang_up) as framework:
        with pytest.raises(UpstreamUnavailable):
            await backend.open(call(target(framework.base_url)))


async def test_garbage_instead_of_http_is_unavailable(backend: OpenAIHTTPBackend) -> None:
    async def babble(connection: Connection) -> None:
        await connection.receive()
        await connection.send(b"\x16\x03\x01 what?\r\n\r\n")

    async with serve(babble) as framework:
        with pytest.raises(UpstreamUnavailable) as caught:
            await backend.open(call(target(framework.base_url, api_key_variable="TINY_KEY")))
    assert "sk-tiny" not in str(caught.value)


async def test_address_that_does_not_answer_is_given_up_quickly() -> None:
    # A full backlog: the kernel drops further SYNs, as a host behind a firewall would.
    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler.connect(listener.getsockname())
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        started_at = time.monotonic()
        async with build_session(connect_timeout_s=0.2) as session:
            with pytest.raises(UpstreamUnavailable):
                await OpenAIHTTPBackend(session, {}).open(call(target(base_url)))
        assert time.monotonic() - started_at < 1.0


async def test_no_status_by_the_deadline_is_a_timeout_and_cancels_the_work(backend: OpenAIHTTPBackend) -> None:
    async with serve(stall) as framework:
        with pytest.raises(UpstreamTimeout):
            await backend.open(call(target(framework.base_url), timeout_s=0.2))
        await asyncio.wait_for(framework.ended.wait(), 2.0)


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/", "/v1/elsewhere"])
async def test_redirect_is_not_followed(backend: OpenAIHTTPBackend, location: str) -> None:
    async def redirect(connection: Connection) -> None:
        await connection.receive()
        await connection.answer(b"", f"location: {location}", status="307 Temporary Redirect")

    async with serve(redirect) as framework:
        with pytest.raises(UpstreamUnavailable, match="redirects"):
            await backend.open(call(target(framework.base_url)))
        assert len(framework.heads) == 1


async def test_compressed_answer_is_refused(backend: OpenAIHTTPBackend) -> None:
    async def compress(connection: Connection) -> None:
        await connection.receive()
        await connection.answer(b"\x1f\x8b", "content-encoding: gzip")

    async with serve(compress) as framework:
        with pytest.raises(UpstreamUnavailable, match="Content-Encoding"):
            await backend.open(call(target(framework.base_url)))


async def test_answer_shorter_than_announced_is_broken(backend: OpenAIHTTPBackend) -> None:
    async def truncate(connection: Connection) -> None:
        await connection.receive()
        await connection.answer(b'{"cho', length=100)

    async with serve(truncate) as framework:
        upstream = await backend.open(call(target(framework.base_url)))
        with pytest.raises(UpstreamBroken):
            await read_all(upstream)


@pytest.mark.parametrize("ending", [b"", b"5\r\nda", b"oops\r\n"])
async def test_chunked_stream_without_its_end_is_broken(backend: OpenAIHTTPBackend, ending: bytes) -> None:
    async def break_off(connection: Connection) -> None:
        await connection.receive()
        await connection.begin_stream()
        await connection.chunk(b"data: 1\n\n")
        await asyncio.sleep(0.05)
        await connection.send(ending)

    async with serve(break_off) as framework:
        upstream = await backend.open(call(target(framework.base_url), stream=True))
        with pytest.raises(UpstreamBroken):
            await read_all(upstream)


async def test_answer_over_the_cap_is_broken_and_its_connection_closed(backend: OpenAIHTTPBackend) -> None:
    async def flood(connection: Connection) -> None:
        await connection.receive()
        await connection.begin_stream()
        while True:
            await connection.chunk(b"x" * (1 << 20))

    async with serve(flood) as framework:
        upstream = await backend.open(call(target(framework.base_url)))
        with pytest.raises(UpstreamBroken, match="too large"):
            await read_all(upstream)
        await asyncio.wait_for(framework.ended.wait(), 2.0)


async def test_error_answer_to_a_stream_is_capped_too(backend: OpenAIHTTPBackend) -> None:
    async def flood(connection: Connection) -> None:
        await connection.receive()
        size = MAX_ANSWER_BYTES + 1
        await connection.answer(b"x" * size, status="500 Internal Server Error")

    async with serve(flood) as framework:
        upstream = await backend.open(call(target(framework.base_url), stream=True))
        with pytest.raises(UpstreamBroken, match="too large"):
            await read_all(upstream)


async def test_closing_early_stops_the_framework_and_the_next_request_is_clean(backend: OpenAIHTTPBackend) -> None:
    async with serve(stream_then_wait) as framework:
        where = target(framework.base_url)
        upstream = await backend.open(call(where, stream=True))
        assert await upstream.read(5.0) == b"data: 1\n\n"
        await upstream.aclose()
        await upstream.aclose()
        await asyncio.wait_for(framework.ended.wait(), 2.0)
        with pytest.raises(UpstreamBroken):
            await upstream.read(0.1)
        again = await backend.open(call(where, stream=True))
        assert await again.read(5.0) == b"data: 1\n\n"
        await again.aclose()
        assert framework.connections == 2


async def test_cancelling_the_opening_stops_the_framework(backend: OpenAIHTTPBackend) -> None:
    async with serve(stall) as framework:
        opening = asyncio.create_task(backend.open(call(target(framework.base_url, max_concurrency=1))))
        await asyncio.wait_for(framework.asked.wait(), 5.0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await asyncio.wait_for(framework.ended.wait(), 2.0)
        with pytest.raises(UpstreamTimeout):
            await backend.open(call(target(framework.base_url, max_concurrency=1), timeout_s=0.1))


async def test_hundreds_of_slow_answers_do_not_queue_behind_each_other(session: aiohttp.ClientSession) -> None:
    backend = OpenAIHTTPBackend(session, {})
    async with serve(stream_then_wait) as framework:
        where = target(framework.base_url)
        held = await asyncio.gather(*[backend.open(call(where, stream=True)) for _ in range(150)])
        assert framework.connections == 150
        for upstream in held:
            await upstream.aclose()
