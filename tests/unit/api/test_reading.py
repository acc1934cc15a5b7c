"""Bodies as they come in, and clients that leave while they are answered."""

import asyncio
from typing import Any

import pytest

from resource_server.api import reading
from resource_server.api.reading import DisconnectWatch, read_body
from resource_server.domain.errors import ClientGone, DeadlineExceeded, RequestTooLarge


class Client:
    """Sends these messages, then nothing until `leave` is called."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)
        self._left = asyncio.Event()

    async def receive(self) -> Any:
        if self._messages:
            return self._messages.pop(0)
        await self._left.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        self._left.set()


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def scope(*headers: tuple[bytes, bytes]) -> Any:
    return {"headers": list(headers)}


async def test_body_in_pieces_is_joined() -> None:
    client = Client(piece(b"ab", more=True), piece(b"", more=True), piece(b"c"))
    assert await read_body(scope(), client.receive, 3) == b"abc"


@pytest.mark.parametrize("headers", [(), ((b"content-length", b"4"),)], ids=["counted", "announced"])
async def test_body_over_the_cap_is_taken_off_the_wire_and_refused(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    client = Client(piece(b"ab", more=True), piece(b"cd"))
    with pytest.raises(RequestTooLarge):
        await read_body(scope(*headers), client.receive, 3)


async def test_body_that_does_not_come_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "READ_TIMEOUT_S", 0.02)
    with pytest.raises(DeadlineExceeded):
        await read_body(scope(), Client(piece(b"ab", more=True)).receive, 3)


async def test_client_that_leaves_within_its_body_is_gone() -> None:
    client = Client(piece(b"ab", more=True))
    client.leave()
    with pytest.raises(ClientGone):
        await read_body(scope(), client.receive, 3)


async def test_client_that_leaves_while_we_work_cancels_the_work() -> None:
    client = Client()
    asyncio.get_running_loop().call_later(0.02, client.leave)
    with pytest.raises(ClientGone):
        async with DisconnectWatch(client.receive):
            await asyncio.sleep(60)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_work_that_ends_first_leaves_no_watch() -> None:
    async with DisconnectWatch(Client().receive):
        await asyncio.sleep(0)


async def test_cancellation_from_elsewhere_passes_through() -> None:
    async def work() -> None:
        async with DisconnectWatch(Client().receive):
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_failure_of_the_work_passes_through_although_the_client_leaves() -> None:
    client = Client()

    async def work() -> None:
        async with DisconnectWatch(client.receive):
            client.leave()
            raise KeyError

    with pytest.raises(KeyError):
        await work()
