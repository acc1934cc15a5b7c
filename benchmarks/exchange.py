"""What is asked and answered in every measurement: the load generator and the mock agree on it byte for byte."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

PACED = "bench/paced"
"""Events one by one, `EVENTS_PER_S` per stream."""
BURST = "bench/burst"
"""The same pace on average, but `BURST_EVENTS` at a time."""
SLOW = "bench/slow"
"""`SLOW_EVENTS_PER_S` per stream, for very many streams."""
MODELS = (PACED, BURST, SLOW)

EVENTS_PER_S = 40.0
SLOW_EVENTS_PER_S = 8.0
BURST_EVENTS = 10
CHAT_PATH = "/v1/chat/completions"

_PROMPT = "Which of the moons of Jupiter has an ocean under its ice, and how do we know? " * 4
_USAGE = {"prompt_tokens": 80, "completion_tokens": 64, "total_tokens": 144}
DONE = b"data: [DONE]\n\n"


def pace_of(model: str) -> tuple[float, int]:
    """Seconds between two writes of a stream, and the events in each."""
    if model == BURST:
        return BURST_EVENTS / EVENTS_PER_S, BURST_EVENTS
    return 1 / (SLOW_EVENTS_PER_S if model == SLOW else EVENTS_PER_S), 1


def build_body(model: str, *, name: str = "", events: int = 0) -> bytes:
    """A chat request. `name` marks a stream, so that no other stream's bytes can pass for its own; 0 events: unary."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": _PROMPT}], "temperature": 0.2}
    if events:
        body |= {"stream": True, "max_tokens": events, "user": name}
    return json.dumps(body).encode()


def build_request(port: int, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The request's bytes, for a kept-alive connection."""
    fixed = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**fixed, **headers}.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@lru_cache(maxsize=8)
def build_answer(model: str) -> bytes:
    """A whole answer."""
    message = {"role": "assistant", "content": "Europa: the ice tells by its cracks. " * 8, "tool_calls": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    answer = {"id": "chatcmpl-0", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
    return json.dumps({**answer, "usage": _USAGE}).encode()


def build_events(model: str, name: str, events: int, *, usage: bool) -> list[bytes]:
    """A stream's events in their order: role, `events` of content, finish, usage if asked for, end."""
    parts = [_chunk(model, name, {"role": "assistant", "content": ""})]
    head, tail = _chunk(model, name, {"content": "@"}).split(b"@")
    parts += [b"%s token %d%s" % (head, number, tail) for number in range(events)]
    parts.append(_chunk(model, name, {}, finish="stop"))
    if usage:
        document = {"id": name, "object": "chat.completion.chunk", "created": 1, "model": model, "choices": []}
        parts.append(_event({**document, "usage": _USAGE}))
    return [*parts, DONE]


def _chunk(model: str, name: str, delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _event({"id": name, "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]})


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"
