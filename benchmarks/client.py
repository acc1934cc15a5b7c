"""A keep-alive HTTP/1.1 client that costs little: bytes out, one answer in, one request at a time."""

import asyncio
import time
from dataclasses import dataclass
from typing import cast

import httptools


@dataclass(slots=True)
class Answer:
    """One answer, with the `time.perf_counter()` of its moments.

    Attributes:
        is_complete: its end came; otherwise the connection broke off.
        longest_gap_s: the longest silence, from the request on.
    """

    status: int
    body: bytes
    sent_at: float
    first_at: float
    ended_at: float
    is_complete: bool
    longest_gap_s: float


class Connection(asyncio.Protocol):
    """One connection; made by `connect`."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    async def ask(self, request: bytes) -> Answer:
        """Send a whole request and wait for the end of its answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._first_at = 0.0
        self._longest_gap_s = 0.0
        self._sent_at = self._heard_at = time.perf_counter()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._end(is_complete=False)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the answer (httptools)."""
        now = time.perf_counter()
        if not self._parts:
            self._first_at = now
        self._longest_gap_s = max(self._longest_gap_s, now - self._heard_at)
        self._heard_at = now
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """The answer has ended (httptools)."""
        self._end(is_complete=True)

    def _end(self, *, is_complete: bool) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            status = self._parser.get_status_code() if self._parts or is_complete else 0
            now = time.perf_counter()
            body = b"".join(self._parts)
            answer.set_result(
                Answer(status, body, self._sent_at, self._first_at or now, now, is_complete, self._longest_gap_s)
            )


async def connect(port: int) -> Connection:
    """A connection to 127.0.0.1. Raises `OSError`."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection
