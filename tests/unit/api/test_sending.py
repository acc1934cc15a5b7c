"""Streams on their way out: whatever happens to the client, the stream is closed."""

import asyncio
from typing import Any

import pytest

from resource_server.api import sending
from resource_server.api.exchange import EventStreamResponse
from resource_server.domain.errors import ClientGone
from resource_server.domain.replies import StreamReply


class EndlessStream:
    """Has more to say for ever; counts what was taken, and how often it was closed."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = 0

    def __aiter__(self) -> "EndlessStream":
        return self

    async def __anext__(self) -> bytes:
        self.taken += 1
        await asyncio.sleep(0)
        return b"data: {}\n\n"

    async def aclose(self) -> None:
        self.closed += 1


class FullClient:
    """Takes `room` messages and no more, as a server does whose client has stopped reading."""

    def __init__(self, room: int, failure: Exception | None = None) -> None:
        self.messages: list[Any] = []
        self._room = room
        self._failure = failure

    async def send(self, message: Any) -> None:
        if len(self.messages) == self._room:
            if self._failure:
                raise self._failure
            await asyncio.sleep(60)
        self.messages.append(message)


async def test_client_that_does_not_read_is_given_up_and_the_stream_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "UNREAD_TIMEOUT_S", 0.05)
    stream, client = EndlessStream(), FullClient(room=3)
    with pytest.raises(ClientGone):
        await sending.send_stream(client.send, EventStreamResponse(StreamReply(stream)), "req_1")
    assert stream.closed == 1
    assert stream.taken == 3  # nothing is read ahead of the client


@pytest.mark.parametrize("room", [0, 2], ids=["before the headers", "between events"])
async def test_failing_connection_closes_the_stream(room: int) -> None:
    stream, client = EndlessStream(), FullClient(room, OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        await sending.send_stream(client.send, EventStreamResponse(StreamReply(stream)), "req_1")
    assert stream.closed == 1


async def test_cancellation_while_the_client_does_not_read_closes_the_stream() -> None:
    stream, client = EndlessStream(), FullClient(room=2)
    response = EventStreamResponse(StreamReply(stream))
    task = asyncio.create_task(sending.send_stream(client.send, response, "req_1"))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.closed == 1
