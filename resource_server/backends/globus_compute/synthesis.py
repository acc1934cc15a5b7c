"""A stream made of an answer that came whole: role, content, usage, `[DONE]`, as the framework would have sent it."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

_DONE = b"data: [DONE]\n\n"
_ENVELOPE = ("id", "created", "model", "system_fingerprint", "service_tier")


def build_events(body: bytes) -> bytes:
    """Server-sent events of a chat completion's or a completion's JSON. Raises `ValueError` for anything else."""
    document = orjson.loads(body)
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise ValueError("the answer has no choices")
    kind = "chat.completion.chunk" if document.get("object") == "chat.completion" else "text_completion"
    envelope = {name: document[name] for name in _ENVELOPE if name in document} | {"object": kind}
    chunks = [piece for choice in choices for piece in _split(choice)]
    events = [_encode({**envelope, "choices": [chunk]}) for chunk in chunks]
    if isinstance(document.get("usage"), dict):
        events.append(_encode({**envelope, "choices": [], "usage": document["usage"]}))
    return b"".join([*events, _DONE])


def _split(choice: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The chunks of one choice: for chat the role, the content and the end; a completion's text is one chunk."""
    message = choice.get("message")
    if not isinstance(message, dict):
        yield dict(choice)
        return
    index = choice.get("index", 0)
    delta = {name: value for name, value in message.items() if name != "role" and value is not None}
    if isinstance(delta.get("tool_calls"), list):
        delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(delta["tool_calls"])]
    rest = {name: value for name, value in choice.items() if name not in ("message", "index", "finish_reason")}
    yield {"index": index, "delta": {"role": message.get("role", "assistant"), "content": ""}, "finish_reason": None}
    yield {"index": index, "delta": delta, **rest, "finish_reason": None}
    yield {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}


def _encode(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
