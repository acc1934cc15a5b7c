"""Streams that the gateway makes of whole answers."""

import json
from typing import Any

import pytest

from resource_server.backends.globus_compute.synthesis import build_events

CHAT = {"id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m"}
CHUNK = {**CHAT, "object": "chat.completion.chunk"}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def events_of(document: Any) -> list[Any]:
    *events, done, rest = build_events(json.dumps(document).encode()).split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


def test_chat_becomes_role_content_end_and_usage() -> None:
    message = {"role": "assistant", "content": "hé", "reasoning_content": "why", "tool_calls": None}
    choice = {"index": 0, "message": message, "finish_reason": "length", "logprobs": {"content": []}}
    assert events_of({**CHAT, "choices": [choice], "usage": USAGE}) == [
        {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
        {
            **CHUNK,
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": "hé", "reasoning_content": "why"},
                    "logprobs": {"content": []},
                    "finish_reason": None,
                }
            ],
        },
        {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
        {**CHUNK, "choices": [], "usage": USAGE},
    ]


def test_tool_calls_get_their_index() -> None:
    calls: list[dict[str, Any]] = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b"},
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    events = events_of({**CHAT, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
    assert events[1]["choices"][0]["delta"] == {"tool_calls": [{"index": 0, **calls[0]}, {"index": 1, "id": "b"}]}
    assert events[2]["choices"][0]["finish_reason"] == "tool_calls"


def test_several_choices_keep_their_index() -> None:
    choices = [
        {"index": n, "message": {"role": "assistant", "content": str(n)}, "finish_reason": "stop"} for n in (0, 1)
    ]
    events = events_of({**CHAT, "choices": choices})
    assert [event["choices"][0]["index"] for event in events] == [0, 0, 0, 1, 1, 1]


def test_completion_becomes_one_chunk_a_choice() -> None:
    choice = {"index": 0, "text": "x", "finish_reason": "stop", "logprobs": None}
    document = {"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "m", "choices": [choice]}
    assert events_of(document) == [document]


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"choices": {}}', b'{"choices": [1]}', b'{"choices":'])
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        build_events(body)
