"""Calls to the simulated backend, and answers read to their end."""

import time
from typing import Any

import orjson

from resource_server.backends.base import Call
from resource_server.backends.simulated.upstream import SimulatedUpstream
from resource_server.domain.operations import Operation
from resource_server.domain.targets import SimulatedTarget

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "one two three"}]}


def target(model: str = "tiny", **fields: object) -> SimulatedTarget:
    fast = {"first_token_ms": 0.0, "token_interval_ms": 0.0, "output_tokens": 4}
    return SimulatedTarget.model_validate(
        {"backend": "simulated", "cluster": "sophia", "framework": "vllm", "model": model, **fast, **fields}
    )


def call(
    where: SimulatedTarget,
    document: dict[str, Any] | None = None,
    operation: Operation = Operation.CHAT_COMPLETIONS,
    *,
    timeout_s: float = 10.0,
    **fields: object,
) -> Call:
    body = {**(CHAT if document is None else document), **fields}
    stream = bool(body.get("stream"))
    return Call("req-1", where, operation, orjson.dumps(body), stream, time.monotonic() + timeout_s)


async def read_all(upstream: SimulatedUpstream) -> bytes:
    parts = []
    while (data := await upstream.read(1.0)) != b"":
        parts.append(data or b"")
    await upstream.aclose()
    return b"".join(parts)


def events(stream: bytes) -> list[dict[str, Any]]:
    """The JSON documents of a stream's frames, its ``[DONE]`` left out."""
    frames = [frame.removeprefix(b"data: ") for frame in stream.split(b"\n\n") if frame]
    return [orjson.loads(frame) for frame in frames if frame != b"[DONE]"]
