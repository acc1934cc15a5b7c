"""A framework's OpenAI-compatible server for tests: what it does is decided by the model's name.

It runs in a thread of its own. What it was asked, and which of its streams were cut by the other side, is on record.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web

CHAT = "test/chat"
SLOW = "test/slow"
"""One token every 50 ms, for ever."""
SILENT = "test/silent"
"""Accepts, and says nothing."""
FAILING = "test/failing"
"""500."""
BUSY = "test/busy"
"""429."""
PICKY = "test/picky"
"""400 with words of its own."""
GARBAGE = "test/garbage"
"""200 with no JSON in it."""
TRUNCATED = "test/truncated"
"""Closes the connection in the middle of a stream."""
UNFINISHED = "test/unfinished"
"""Ends a stream cleanly without a finish reason."""
COMPLAINING = "test/complaining"
"""Sends an in-band error in the middle of a stream."""
STALLING = "test/stalling"
"""Falls silent in the middle of a stream."""
HELD = "test/held"
"""As `SLOW`, streamed or not, until `Framework.released` is set; then answers as `CHAT` does."""
LONG = "test/long"
"""Any model whose name begins so takes a second, token by token if streamed, and then answers as `CHAT` does."""
MODELS = (CHAT, SLOW, SILENT, FAILING, BUSY, PICKY, GARBAGE, TRUNCATED, UNFINISHED, COMPLAINING, STALLING)

WORDS = ["The", " quick", " brown", " fox"]


@dataclass
class Framework:
    """What tests read.

    Attributes:
        url: base URL up to and including ``/v1``.
        bodies: every body received, in order.
        cut_at: `time.monotonic()` of every answer that the other side cut.
        tokens_sent: tokens of slow streams that left this server.
        released: lets answers of `HELD` come to their end.
    """

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    cut_at: list[float] = field(default_factory=list)
    tokens_sent: int = 0
    released: threading.Event = field(default_factory=threading.Event)


Answer = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


def chunk(model: str, delta: dict[str, Any], finish: str | None = None) -> bytes:
    """One SSE event of a chat stream."""
    document = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


class Handlers:
    """The server's routes."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework
        self._by_model: dict[str, Answer] = {
            FAILING: self._fail(500),
            BUSY: self._fail(429),
            PICKY: self._refuse,
            GARBAGE: self._garble,
            SILENT: self._be_silent,
        }

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await self._note(request)
        special = self._by_model.get(body["model"])
        if special is not None:
            return await special(request, body)
        return await (self._stream(request, body) if body.get("stream") else self._whole(body))

    async def completions(self, request: web.Request) -> web.StreamResponse:
        body = await self._note(request)
        choice = {"index": 0, "text": "".join(WORDS), "finish_reason": "stop", "logprobs": None}
        return web.json_response(
            {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body["model"], "choices": [choice]}
        )

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        body = await self._note(request)
        vector: Any = [0.0, 0.5, -0.5]
        if body.get("encoding_format") == "base64":
            vector = "AAAAAAAAAD8AAAC/"
        data = [{"object": "embedding", "index": 0, "embedding": vector}]
        usage = {"prompt_tokens": 2, "total_tokens": 2}
        return web.json_response({"object": "list", "model": body["model"], "data": data, "usage": usage})

    async def _note(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self._framework.bodies.append(body)
        self._framework.headers.append(dict(request.headers))
        return body

    async def _whole(self, body: dict[str, Any]) -> web.StreamResponse:
        if body["model"].startswith(LONG):
            await asyncio.sleep(1)
        while body["model"] == HELD and not self._framework.released.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.05)
        message = {"role": "assistant", "content": "".join(WORDS)}
        return web.json_response(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
            }
        )

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        model = body["model"]
        try:
            await response.write(chunk(model, {"role": "assistant", "content": ""}))
            if model == SLOW:
                await self._drip(response, model)
            if model.startswith(LONG):
                await self._drip(response, model, tokens=20)
            while model == HELD and not self._framework.released.is_set():
                await self._drip(response, model, tokens=1)
            for word in WORDS:
                await response.write(chunk(model, {"content": word}))
            await self._end(request, response, body)
        except (ConnectionResetError, asyncio.CancelledError):
            self._framework.cut_at.append(time.monotonic())
            raise
        return response

    async def _drip(self, response: web.StreamResponse, model: str, tokens: int | None = None) -> None:
        for _ in count() if tokens is None else range(tokens):
            await response.write(chunk(model, {"content": " tick"}))
            self._framework.tokens_sent += 1
            await asyncio.sleep(0.05)

    async def _end(self, request: web.Request, response: web.StreamResponse, body: dict[str, Any]) -> None:
        model = body["model"]
        if model == TRUNCATED:
            transport = request.transport
            assert transport is not None
            transport.abort()
            return
        if model == STALLING:
            await asyncio.sleep(3600)
        if model == COMPLAINING:
            await asyncio.sleep(0.1)  # so that the words before it have gone their way
            await response.write(b'data: {"object":"error","message":"out of memory","code":500}\n\n')
        if model != UNFINISHED:
            await response.write(chunk(model, {}, "stop"))
        if body.get("stream_options", {}).get("include_usage"):
            usage = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
            last = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
            await response.write(b"data: " + json.dumps({**last, "choices": [], "usage": usage}).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")

    def _fail(self, status: int) -> Answer:
        async def fail(_request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
            error = {"message": "secret detail at 10.1.2.3", "type": "x", "param": None, "code": status}
            return web.json_response({"error": error}, status=status)

        return fail

    async def _refuse(self, _request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
        error = {"message": "maximum context length is 10", "type": "BadRequestError", "param": "messages", "code": 400}
        return web.json_response({"error": error}, status=400)

    async def _garble(self, _request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
        return web.Response(text="<html>oops</html>", content_type="text/html")

    async def _be_silent(self, _request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self._framework.cut_at.append(time.monotonic())
            raise
        return web.Response()


@contextmanager
def running_framework() -> Iterator[Framework]:
    """Serve on a free port of 127.0.0.1 until the context ends."""
    framework = Framework()
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        handlers = Handlers(framework)
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", handlers.chat)
        app.router.add_post("/v1/completions", handlers.completions)
        app.router.add_post("/v1/embeddings", handlers.embeddings)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        framework.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="framework", daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield framework
    finally:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)
        thread.join(10)
