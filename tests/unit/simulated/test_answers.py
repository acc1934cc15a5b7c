"""The simulated model's answers, in one piece and streamed."""

import asyncio
import base64
import math
import struct
import time
from typing import Any

import orjson
import pytest

from resource_server.backends.base import UpstreamTimeout
from resource_server.backends.simulated import SimulatedBackend
from resource_server.domain.operations import Operation
from resource_server.domain.sse import StreamTap
from tests.unit.simulated.calls import CHAT, call, events, read_all, target


async def ask(document: dict[str, Any] | None = None, **fields: Any) -> tuple[int, dict[str, Any]]:
    operation = fields.pop("operation", Operation.CHAT_COMPLETIONS)
    where = fields.pop("where", target())
    upstream = await SimulatedBackend().open(call(where, document, operation, **fields))
    return upstream.status, orjson.loads(await read_all(upstream))


async def test_chat_repeats_the_words_of_the_last_message() -> None:
    status, answer = await ask(messages=[{"role": "system", "content": "x"}, *CHAT["messages"]])
    assert (status, answer["object"], answer["model"]) == (200, "chat.completion", "tiny")
    [choice] = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "one two three one"}
    assert choice["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8}


async def test_max_tokens_and_n_are_honoured() -> None:
    _, answer = await ask(max_tokens=2, n=3)
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["one two"] * 3
    assert {choice["finish_reason"] for choice in answer["choices"]} == {"length"}
    assert answer["usage"]["completion_tokens"] == 6


async def test_completions_answer_each_prompt() -> None:
    _, answer = await ask({"prompt": ["a b", "c"]}, operation=Operation.COMPLETIONS, max_tokens=2)
    assert [choice["text"] for choice in answer["choices"]] == ["a b", "c c"]
    assert answer["object"] == "text_completion"


async def test_content_parts_are_read() -> None:
    parts = [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    _, answer = await ask(messages=[{"role": "user", "content": parts}], max_tokens=1)
    assert answer["choices"][0]["message"]["content"] == "hello"


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("operation", [Operation.CHAT_COMPLETIONS, Operation.COMPLETIONS])
async def test_stream_says_the_same_piece_by_piece(operation: Operation, n: int) -> None:
    document = {**CHAT, "prompt": "one two three"}
    options: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}, "n": n}
    upstream = await SimulatedBackend().open(call(target(), document, operation, **options))
    stream = await read_all(upstream)
    tap = StreamTap(include_usage=True)
    tap.feed(stream)
    assert (tap.done, tap.finished, tap.error) == (True, True, None)
    assert tap.usage is not None
    assert tap.usage.completion_tokens == 4 * n
    texts = [""] * n
    for choice in (choice for event in events(stream) for choice in event["choices"]):
        texts[choice["index"]] += choice.get("text") or choice.get("delta", {}).get("content", "")
    assert texts == ["one two three one"] * n


async def test_usage_chunk_comes_only_when_asked_for() -> None:
    upstream = await SimulatedBackend().open(call(target(), stream=True))
    tap = StreamTap(include_usage=True)
    tap.feed(await read_all(upstream))
    assert (tap.done, tap.usage, tap.events) == (True, None, 4)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"role": "villain", "content": "hi"}]}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": "high"}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1000}, None),
    ],
)
async def test_request_that_a_framework_would_refuse_gets_its_400(fields: dict[str, Any], param: str | None) -> None:
    status, answer = await ask(where=target(max_model_len=100), **fields)
    assert status == 400
    assert (answer["error"]["code"], answer["error"]["param"]) == (400, param)
    assert answer["error"]["message"]


@pytest.mark.parametrize("texts", ["a", ["a", "b"], [1, 2], [[1, 2], [3]]])
async def test_embeddings_have_length_one_in_either_encoding(texts: Any) -> None:
    document = {"model": "m", "input": texts}
    _, floats = await ask(document, operation=Operation.EMBEDDINGS)
    _, coded = await ask(document, operation=Operation.EMBEDDINGS, encoding_format="base64")
    assert [item["index"] for item in floats["data"]] == list(range(len(floats["data"])))
    for plain, packed in zip(floats["data"], coded["data"], strict=True):
        vector = struct.unpack("<64f", base64.b64decode(packed["embedding"]))
        assert plain["embedding"] == pytest.approx(vector)
        assert math.hypot(*vector) == pytest.approx(1.0)
    assert floats["usage"]["prompt_tokens"] >= 1


async def test_embeddings_are_deterministic_and_differ_by_text() -> None:
    _, answer = await ask({"input": ["a", "b", "a"]}, operation=Operation.EMBEDDINGS, dimensions=8)
    a, b, again = [item["embedding"] for item in answer["data"]]
    assert a == again
    assert a != b
    assert len(a) == 8


@pytest.mark.parametrize("fields", [{"encoding_format": "hex"}, {"dimensions": 0}, {"dimensions": "8"}])
async def test_embeddings_refuse_what_a_framework_would(fields: dict[str, Any]) -> None:
    status, answer = await ask({"input": "a"}, operation=Operation.EMBEDDINGS, **fields)
    assert (status, answer["error"]["param"]) == (400, *fields)


async def test_stream_keeps_the_pace_and_tells_silence() -> None:
    where = target(first_token_ms=100, token_interval_ms=20, output_tokens=10)
    started_at = time.monotonic()
    upstream = await SimulatedBackend().open(call(where, stream=True))
    assert b'"role":"assistant"' in (await upstream.read(1.0) or b"")
    assert await upstream.read(0.02) is None
    assert b"one" in (await upstream.read(1.0) or b"")
    assert time.monotonic() - started_at >= 0.1
    await read_all(upstream)
    assert 0.28 <= time.monotonic() - started_at < 0.6


async def test_slow_reader_does_not_slow_the_model() -> None:
    where = target(first_token_ms=0, token_interval_ms=10, output_tokens=5)
    upstream = await SimulatedBackend().open(call(where, stream=True))
    await asyncio.sleep(0.1)
    data = await upstream.read(1.0)
    assert data is not None
    assert data.endswith(b"data: [DONE]\n\n")


async def test_closing_stops_production() -> None:
    backend = SimulatedBackend()
    upstream = await backend.open(call(target(token_interval_ms=10, output_tokens=10_000), stream=True))
    while backend.tokens_produced < 3:
        await upstream.read(1.0)
    await upstream.aclose()
    produced = backend.tokens_produced
    await asyncio.sleep(0.05)
    await upstream.aclose()
    assert 3 <= backend.tokens_produced == produced < 100


async def test_what_was_produced_unread_is_counted_at_the_close() -> None:
    backend = SimulatedBackend()
    upstream = await backend.open(call(target(token_interval_ms=10, output_tokens=10_000), stream=True))
    await asyncio.sleep(0.05)
    await upstream.aclose()
    assert 3 <= backend.tokens_produced < 100


async def test_cancelling_an_answer_in_one_piece_stops_production() -> None:
    backend = SimulatedBackend()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await backend.open(call(target(token_interval_ms=10, output_tokens=10_000)))
    produced = backend.tokens_produced
    assert 3 <= produced < 100
    await asyncio.sleep(0.05)
    assert backend.tokens_produced == produced


async def test_deadline_bounds_the_wait_for_the_status_and_the_stream() -> None:
    backend = SimulatedBackend()
    with pytest.raises(UpstreamTimeout):
        await backend.open(call(target(first_token_ms=5000), timeout_s=0.05))
    upstream = await backend.open(call(target(first_token_ms=5000), stream=True, timeout_s=0.05))
    with pytest.raises(UpstreamTimeout):
        await read_all(upstream)


async def test_whole_answer_counts_its_tokens_once() -> None:
    backend = SimulatedBackend()
    await read_all(await backend.open(call(target(token_interval_ms=1), n=2)))
    assert backend.tokens_produced == 8
