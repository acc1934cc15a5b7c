"""Generations as OpenAI-shaped JSON or events, at the target's pace."""

import time
from collections.abc import Iterator
from typing import Any

import orjson

from resource_server.backends.base import Call
from resource_server.backends.simulated.prompts import Generation
from resource_server.backends.simulated.script import EVENT_STREAM, JSON, Piece, Script
from resource_server.domain.operations import Operation
from resource_server.domain.sse import DONE
from resource_server.domain.targets import SimulatedTarget

_HOLE = b'"\\u0000"'  # no model name can hold a NUL, so this marks the token's place in a template


class _Shape:
    """How an operation words its answers."""

    def __init__(self, call: Call) -> None:
        self.is_chat = call.operation is Operation.CHAT_COMPLETIONS
        self._object = "chat.completion" if self.is_chat else "text_completion"
        self._common = {
            "id": f"{'chatcmpl' if self.is_chat else 'cmpl'}-{call.request_id}",
            "created": int(time.time()),
            "model": call.target.model,
        }

    def answer(self, choices: list[dict[str, Any]], usage: dict[str, int]) -> bytes:
        return orjson.dumps({**self._common, "object": self._object, "choices": choices, "usage": usage})

    def event(self, choices: list[dict[str, Any]], **fields: object) -> bytes:
        name = f"{self._object}.chunk" if self.is_chat else self._object
        return b"data: %s\n\n" % orjson.dumps({**self._common, "object": name, "choices": choices, **fields})

    def choice(self, index: int, text: str, finish_reason: str | None) -> dict[str, Any]:
        words = {"message": {"role": "assistant", "content": text}} if self.is_chat else {"text": text}
        return {"index": index, **words, "logprobs": None, "finish_reason": finish_reason}

    def delta(self, index: int, text: str | None, finish_reason: str | None = None, **more: str) -> dict[str, Any]:
        content = {} if text is None else {"content": text}
        words: dict[str, Any] = {"delta": {**more, **content}} if self.is_chat else {"text": text or ""}
        return {"index": index, **words, "logprobs": None, "finish_reason": finish_reason}


def build_answer(call: Call, target: SimulatedTarget, generation: Generation, *, include_usage: bool) -> Script:
    """The script of a generation, streamed or in one piece."""
    shape = _Shape(call)
    steps = [(target.first_token_ms + k * target.token_interval_ms) / 1000 for k in range(generation.output_tokens)]
    content = len(steps) + 1
    if call.stream:
        pieces = _stream(shape, generation, steps, include_usage=include_usage)
        return Script(200, EVENT_STREAM, pieces, half=content // 2 + 1, content=content)
    pieces = _whole(shape, generation, steps)
    return Script(200, JSON, pieces, opens_at_s=steps[-1], half=content, content=content)


def _usage(generation: Generation) -> dict[str, int]:
    produced = generation.output_tokens * len(generation.choices)
    total = generation.prompt_tokens + produced
    return {"prompt_tokens": generation.prompt_tokens, "completion_tokens": produced, "total_tokens": total}


def _whole(shape: _Shape, generation: Generation, steps: list[float]) -> Iterator[Piece]:
    for at_s in steps:
        yield Piece(at_s, tokens=len(generation.choices))
    texts = [" ".join(words[k % len(words)] for k in range(generation.output_tokens)) for words in generation.choices]
    choices = [shape.choice(i, text, generation.finish_reason) for i, text in enumerate(texts)]
    data = shape.answer(choices, _usage(generation))
    yield Piece(steps[-1], data[: len(data) // 2])
    yield Piece(steps[-1], data[len(data) // 2 :])


def _stream(shape: _Shape, generation: Generation, steps: list[float], *, include_usage: bool) -> Iterator[Piece]:
    indexes = range(len(generation.choices))
    roles = [shape.event([shape.delta(i, "", role="assistant")]) for i in indexes] if shape.is_chat else []
    yield Piece(0.0, b"".join(roles))
    templates = [shape.event([shape.delta(i, "\0")]).split(_HOLE) for i in indexes]
    for k, at_s in enumerate(steps):
        events = [
            orjson.dumps((" " if k else "") + words[k % len(words)]).join(template)
            for words, template in zip(generation.choices, templates, strict=True)
        ]
        yield Piece(at_s, b"".join(events), len(events))
    yield Piece(steps[-1], b"".join(shape.event([shape.delta(i, None, generation.finish_reason)]) for i in indexes))
    if include_usage:
        yield Piece(steps[-1], shape.event([], usage=_usage(generation)))
    yield Piece(steps[-1], DONE)
