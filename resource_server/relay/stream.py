"""One stream: compute node posts, the gateway reads; whoever is ahead waits for the other."""

import time
from collections.abc import Callable, Mapping

from resource_server.relay import replies
from resource_server.relay.assembly import Assembly, Verdict
from resource_server.relay.base import IngestReply, RelayFailed
from resource_server.relay.messages import Message
from resource_server.state.bell import Bell

MAX_WAITING_POSTS = 4
"""A function posts one message after the other; more than a few at once are retries of the same one."""

_REPLIES = {
    Verdict.TAKEN: replies.TAKEN,
    Verdict.AHEAD: replies.AHEAD,
    Verdict.TOO_LARGE: replies.TOO_LARGE,
    Verdict.REFUSED: replies.GONE,
}


class LocalStream:
    """A stream that this process reads; see `relay.base.RelayStream`.

    Args:
        stream_id, url, ticket: the stream's name and credential.
        assembly: where the messages of this stream come together.
        on_close: called once, with the stream's id.
    """

    def __init__(
        self, stream_id: str, url: str, ticket: str, assembly: Assembly, on_close: Callable[[str], None]
    ) -> None:
        self.stream_id = stream_id
        self.url = url
        self.ticket = ticket
        self._assembly = assembly
        self._on_close = on_close
        self._is_closed = False
        self._heard_at = time.monotonic()
        self._news = Bell()
        self._room = Bell()
        self._waiting_posts = 0

    async def started(self, wait_s: float) -> bool:
        """As `RelayStream.started`."""
        await self._until(self._has_started, wait_s)
        return self._assembly.attempt is not None

    async def head(self, wait_s: float) -> tuple[int, Mapping[str, str]] | None:
        """As `RelayStream.head`."""
        await self._until(self._has_head, wait_s)
        if self._assembly.head is None:
            self._check_failure()
        return self._assembly.head

    async def read(self, wait_s: float) -> bytes | None:
        """As `RelayStream.read`."""
        await self._until(self._has_data, wait_s)
        if self._assembly.has_unread:
            data = self._assembly.take_unread()
            self._room.ring()
            return data
        self._check_failure()
        return b"" if self._assembly.is_complete else None

    def heard_at(self) -> float:
        """As `RelayStream.heard_at`."""
        return self._heard_at

    def is_complete(self) -> bool:
        """As `RelayStream.is_complete`."""
        return self._assembly.is_complete

    async def aclose(self) -> None:
        """As `RelayStream.aclose`."""
        if self._is_closed:
            return
        self._is_closed = True
        self._assembly.discard()
        self._news.ring()
        self._room.ring()
        self._on_close(self.stream_id)

    def offer(self, message: Message) -> IngestReply | None:
        """Take the message now; `None` when the reader has to catch up first."""
        if self._is_closed:
            return replies.GONE
        verdict = self._assembly.add(message)
        if message.attempt == self._assembly.attempt:
            self._heard_at = time.monotonic()
        self._news.ring()
        return _REPLIES.get(verdict)

    async def offer_patiently(self, message: Message, wait_s: float) -> IngestReply:
        """Take the message as soon as the reader has caught up: the backpressure. 503 after `wait_s` seconds."""
        if self._waiting_posts >= MAX_WAITING_POSTS:
            return replies.BUSY
        deadline = time.monotonic() + wait_s
        self._waiting_posts += 1
        try:
            while (reply := self.offer(message)) is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return replies.BUSY
                await self._room.wait(left_s)
            return reply
        finally:
            self._waiting_posts -= 1

    async def _until(self, has_come: Callable[[], bool], wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while not (has_come() or self._is_closed or self._assembly.failure):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            await self._news.wait(left_s)

    def _has_started(self) -> bool:
        return self._assembly.attempt is not None

    def _has_head(self) -> bool:
        return self._assembly.head is not None

    def _has_data(self) -> bool:
        return self._assembly.has_unread or self._assembly.is_complete

    def _check_failure(self) -> None:
        if self._assembly.failure is not None:
            raise RelayFailed(self._assembly.failure)
        if self._is_closed:
            raise RelayFailed("the stream was closed here")
