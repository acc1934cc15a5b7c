"""What comes back when the framework behaves."""

import asyncio

import pytest

from resource_server.backends.base import UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.openai_http import OpenAIHTTPBackend
from tests.integration.openai_http.upstreams import BODY, Connection, call, drain, read_all, serve, target

JSON = b'{"choices":[]}'


async def answer_json(connection: Connection) -> None:
    while True:
        await connection.receive()
        await connection.answer(JSON, "content-type: application/json", "set-cookie: a=b", "x-internal: host7")


async def test_answer_passes_with_its_status_and_only_the_listed_headers(backend: OpenAIHTTPBackend) -> None:
    async with serve(answer_json) as framework:
        upstream = await backend.open(call(target(framework.base_url)))
        assert (upstream.status, dict(upstream.headers)) == (200, {"content-type": "application/json"})
        assert await read_all(upstream) == JSON


async def test_request_carries_the_body_the_gateways_id_and_nothing_surprising(backend: OpenAIHTTPBackend) -> None:
    async with serve(answer_json) as framework:
        await read_all(await backend.open(call(target(framework.base_url))))
        await read_all(await backend.open(call(target(framework.base_url))))
    head = framework.heads[1]
    assert head[0] == "POST /v1/chat/completions HTTP/1.1"
    names = {line.partition(":")[0].lower() for line in head[1:] if line}
    assert names == {"host", "accept-encoding", "content-type", "user-agent", "x-request-id", "content-length"}
    assert {"Accept-Encoding: identity", "X-Request-Id: req-1"} <= set(head)
    assert framework.bodies == [BODY, BODY]


async def test_api_key_comes_from_the_named_variable(backend: OpenAIHTTPBackend) -> None:
    async with serve(answer_json) as framework:
        await read_all(await backend.open(call(target(framework.base_url, api_key_variable="TINY_KEY"))))
    assert "Authorization: Bearer sk-tiny" in framework.heads[0]


async def test_missing_api_key_makes_the_target_unavailable_without_asking(backend: OpenAIHTTPBackend) -> None:
    async with serve(answer_json) as framework:
        with pytest.raises(UpstreamUnavailable, match="NO_KEY"):
            await backend.open(call(target(framework.base_url, api_key_variable="NO_KEY")))
    assert framework.connections == 0


async def test_complete_answers_share_a_connection(backend: OpenAIHTTPBackend) -> None:
    async with serve(answer_json) as framework:
        for _ in range(5):
            assert await read_all(await backend.open(call(target(framework.base_url)))) == JSON
        assert framework.connections == 1


@pytest.mark.parametrize("status", ["400 Bad Request", "429 Too Many Requests", "500 Internal Server Error"])
async def test_any_status_is_an_answer(backend: OpenAIHTTPBackend, status: str) -> None:
    async def refuse(connection: Connection) -> None:
        await connection.receive()
        await connection.answer(b'{"error":{}}', "content-type: application/json", "retry-after: 3", status=status)

    async with serve(refuse) as framework:
        upstream = await backend.open(call(target(framework.base_url)))
        assert upstream.status == int(status[:3])
        assert upstream.headers["retry-after"] == "3"
        assert await read_all(upstream) == b'{"error":{}}'


async def test_stream_arrives_while_it_is_written_and_silence_is_told(backend: OpenAIHTTPBackend) -> None:
    proceed = asyncio.Event()

    async def stream(connection: Connection) -> None:
        await connection.receive()
        await connection.begin_stream()
        await connection.chunk(b"data: 1\n\n")
        await proceed.wait()
        await connection.chunk(b"data: 2\n\n")
        await connection.send(b"0\r\n\r\n")

    async with serve(stream) as framework:
        upstream = await backend.open(call(target(framework.base_url), stream=True))
        assert await upstream.read(5.0) == b"data: 1\n\n"
        assert await upstream.read(0.05) is None
        proceed.set()
        assert await read_all(upstream) == b"data: 2\n\n"


async def test_wait_that_is_cancelled_again_and_again_loses_nothing(backend: OpenAIHTTPBackend) -> None:
    events = [b"data: %d\n\n" % i for i in range(200)]

    async def stream(connection: Connection) -> None:
        await connection.receive()
        await connection.begin_stream()
        for event in events:
            await connection.chunk(event)
            await asyncio.sleep(0.001)
        await connection.send(b"0\r\n\r\n")

    async with serve(stream) as framework:
        upstream = await backend.open(call(target(framework.base_url), stream=True))
        received, data = b"", None
        while data != b"":
            try:
                async with asyncio.timeout(0.0013):
                    data = await upstream.read(0.0011)
            except TimeoutError:
                continue
            received += data or b""
        await upstream.aclose()
    assert received == b"".join(events)


async def test_silence_past_the_deadline_is_a_timeout(backend: OpenAIHTTPBackend) -> None:
    async def stall(connection: Connection) -> None:
        await connection.receive()
        await connection.begin_stream()
        await connection.chunk(b"data: 1\n\n")
        await connection.wait_closed()

    async with serve(stall) as framework:
        upstream = await backend.open(call(target(framework.base_url), stream=True, timeout_s=0.3))
        assert await upstream.read(1.0) == b"data: 1\n\n"
        assert await upstream.read(1.0) is None
        with pytest.raises(UpstreamTimeout):
            await upstream.read(1.0)
        await upstream.aclose()


async def test_stream_that_never_ends_stops_at_the_deadline(backend: OpenAIHTTPBackend) -> None:
    async def flood(connection: Connection) -> None:
        await connection.receive()
        await connection.begin_stream()
        while True:
            await connection.chunk(b"data: 1\n\n")
            await asyncio.sleep(0)

    async with serve(flood) as framework:
        upstream = await backend.open(call(target(framework.base_url), stream=True, timeout_s=0.3))
        with pytest.raises(UpstreamTimeout):
            await drain(upstream)
        await upstream.aclose()


async def test_row_that_changed_takes_effect_at_the_next_request(backend: OpenAIHTTPBackend) -> None:
    async with serve(answer_json) as framework:
        await read_all(await backend.open(call(target(framework.base_url))))
        await read_all(await backend.open(call(target(framework.base_url, api_key_variable="TINY_KEY"))))
    assert "Authorization: Bearer sk-tiny" in framework.heads[1]
