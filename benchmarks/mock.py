"""The upstream of every target, cheap enough not to be what is measured: ``python -m benchmarks.mock PORT``.

A bare asyncio protocol. It answers whole at once and streams at the pace that the model's name asks for.
"""

import asyncio
import json
import socket
import sys
from typing import Any, cast

import httptools
import uvloop

from benchmarks.exchange import build_answer, build_events, pace_of

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"


class MockServer(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the request's body (httptools)."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer the request (httptools). What is no chat is a health check or a list of models."""
        body, self._body = b"".join(self._body), []
        if not body:
            self._send_json(b'{"object":"list","data":[]}')
            return
        document = json.loads(body)
        if document.get("stream"):
            self._stream(document)
        else:
            self._send_json(build_answer(document["model"]))

    def _send_json(self, body: bytes) -> None:
        self._transport.write(_OK % (len(body), body))

    def _stream(self, document: dict[str, Any]) -> None:
        usage = bool((document.get("stream_options") or {}).get("include_usage"))
        model = document["model"]
        events = build_events(model, document["user"], document["max_tokens"], usage=usage)
        interval_s, at_once = pace_of(model)
        first, last = events[0], b"".join(events[-2 - usage :])
        content = events[1 : -2 - usage]
        writes = [b"".join(content[start : start + at_once]) for start in range(0, len(content), at_once)]
        self._transport.write(_STREAM + _frame(first))
        loop = asyncio.get_running_loop()
        self._play([*map(_frame, writes), _frame(last) + _END], 0, loop.time(), interval_s)

    def _play(self, writes: list[bytes], number: int, started_at: float, interval_s: float) -> None:
        if number:
            self._transport.write(writes[number - 1])
        if number < len(writes):
            due_at = started_at + number * interval_s
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(due_at, self._play, writes, number + 1, started_at, interval_s)


def _frame(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(MockServer, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
