"""Reading a request's body, counted as it comes, in memory only; and noticing that its sender has left."""

import asyncio
from types import TracebackType
from typing import Self

from asgiref.typing import ASGIReceiveCallable, HTTPScope

from resource_server.domain.errors import ClientGone, DeadlineExceeded, RequestTooLarge

READ_TIMEOUT_S = 60.0
DISCARD_CAP_BYTES = 64 * 1024 * 1024
"""How much of a refused body is still taken off the wire: a client that is cut off while it sends sees no answer."""


async def read_body(scope: HTTPScope, receive: ASGIReceiveCallable, cap_bytes: int) -> bytes:
    """The whole body.

    Raises:
        RequestTooLarge: over `cap_bytes`: by its header where there is one, else as soon as the count shows it.
        DeadlineExceeded: the client took longer than a minute to send it.
        ClientGone: the client left.
    """
    parts: list[bytes] = []
    size = 0
    refused = _announced_bytes(scope) > cap_bytes
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            while size <= DISCARD_CAP_BYTES:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientGone
                size += len(message["body"])
                refused = refused or size > cap_bytes
                if refused:
                    parts.clear()
                else:
                    parts.append(message["body"])
                if not message["more_body"]:
                    break
    except TimeoutError as exc:
        raise DeadlineExceeded("The request's body did not arrive within a minute.") from exc
    if refused:
        raise RequestTooLarge(f"The request's body is over {cap_bytes} bytes: send less at once.")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _announced_bytes(scope: HTTPScope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


class DisconnectWatch:
    """Cancels the task inside the ``async with`` as soon as the client leaves, and raises `ClientGone` instead.

    A cancellation from elsewhere passes through untouched.
    """

    def __init__(self, receive: ASGIReceiveCallable) -> None:
        self._receive = receive
        self._is_gone = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a DisconnectWatch works inside a task")
        self._work = task
        self._watch = asyncio.create_task(self._wait(), name="disconnect watch")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watch.cancel()
        if self._is_gone and isinstance(error, asyncio.CancelledError) and self._work.uncancel() == 0:
            raise ClientGone from error

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        self._work.cancel()
