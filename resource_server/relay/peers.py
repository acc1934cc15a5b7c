"""A POST may reach any worker; this hands it to the one that owns its stream, and brings the answer back.

Every worker listens to a mailbox of its own and shows a sign of life in the shared state. An owner that is silent and
shows none is gone, and its functions hear 410; while the shared state itself is away nobody is declared gone: they
hear 503 and come again.
"""

import asyncio
import itertools
import time
from collections import defaultdict

from resource_server.relay import replies
from resource_server.relay.base import IngestReply
from resource_server.relay.envelopes import ForwardedPost, Replies, decode_envelope
from resource_server.relay.local import LocalStreams
from resource_server.state.background import Background
from resource_server.state.base import State

REPLY_WAIT_S = 11.0
"""A little longer than the owner lets a POST wait for its reader."""
SIGN_TTL_S = 5.0
SIGN_EVERY_S = 1.5
SILENCE_S = 2.5
"""An owner without a sign for this long is gone. Longer than `SIGN_EVERY_S`: a flush of Redis takes the sign from the
living too. With `SIGN_TTL_S` it makes less than the 10 s after which a dead worker's work must have stopped."""
MAX_WAITING_POSTS = 1_000
MAX_WAITING_BYTES = 32 << 20
_MAX_MAILBOX_MESSAGES = 2_000
_LOOK_EVERY_S = 0.5
_LISTEN_S = 1.0


class Peers:
    """This worker's line to the others.

    Args:
        state: shared with them.
        streams: this worker's own, for the posts that reached another.
    """

    def __init__(self, state: State, worker_id: str, streams: LocalStreams) -> None:
        self._state = state
        self._worker_id = worker_id
        self._streams = streams
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[IngestReply]] = {}
        self._waiting_bytes = 0
        self._patient_posts = 0
        self._background = Background()

    async def open(self) -> None:
        """Show the first sign of life, and begin to listen."""
        await self._show_sign()
        self._background.start("relay: sign of life", self._show_signs())
        self._background.start("relay: listen to other workers", self._listen())

    async def aclose(self) -> None:
        """Stop listening; from now on the others take this worker for gone."""
        await self._background.aclose()
        for reply in self._waiting.values():
            _settle(reply, replies.BUSY)
        await self._state.key_value.delete(_sign_of(self._worker_id))

    async def forward(self, owner: str, stream_id: str, ticket: str, body: bytes) -> IngestReply:
        """Hand a POST to the worker `owner` and wait for its answer."""
        if len(self._waiting) >= MAX_WAITING_POSTS or self._waiting_bytes + len(body) > MAX_WAITING_BYTES:
            return replies.BUSY
        number = next(self._numbers)
        post = ForwardedPost(number, self._worker_id, stream_id, ticket, body)
        self._waiting[number] = reply = asyncio.get_running_loop().create_future()
        self._waiting_bytes += len(body)
        try:
            if not await self._send(owner, post.encode()):
                return replies.BUSY
            return await self._wait_for_reply(owner, reply)
        finally:
            del self._waiting[number]
            self._waiting_bytes -= len(body)

    async def _wait_for_reply(self, owner: str, reply: asyncio.Future[IngestReply]) -> IngestReply:
        """The owner's answer; 410 once it has shown no sign of life for a while, 503 when it takes too long."""
        asked_at = last_sign_at = time.monotonic()
        while time.monotonic() - asked_at < REPLY_WAIT_S and not self._state.is_degraded():
            await asyncio.wait([reply], timeout=_LOOK_EVERY_S)
            if reply.done():
                return reply.result()
            if await self._state.key_value.get(_sign_of(owner)) is not None:
                last_sign_at = time.monotonic()
            elif time.monotonic() - last_sign_at >= SILENCE_S:
                return replies.GONE
        return replies.BUSY

    async def _send(self, worker_id: str, envelope: bytes) -> bool:
        return await self._state.mailboxes.send(_mailbox_of(worker_id), envelope, _MAX_MAILBOX_MESSAGES)

    async def _show_signs(self) -> None:
        while True:
            await asyncio.sleep(SIGN_EVERY_S)
            await self._show_sign()

    async def _show_sign(self) -> None:
        await self._state.key_value.set(_sign_of(self._worker_id), b"1", SIGN_TTL_S)

    async def _listen(self) -> None:
        while True:
            envelopes = await self._state.mailboxes.receive(_mailbox_of(self._worker_id), _LISTEN_S)
            answers: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
            for envelope in envelopes:
                match decode_envelope(envelope):
                    case Replies(statuses):
                        self._take_replies(statuses)
                    case ForwardedPost() as post:
                        reply = self._streams.offer(post.stream_id, post.ticket, post.body)
                        if reply is None:
                            reply = self._take_patiently(post)
                        if reply is not None:
                            answers[post.sender].append((post.number, reply.status))
            for sender, statuses in answers.items():
                await self._send(sender, Replies(statuses).encode())

    def _take_replies(self, statuses: list[tuple[int, int]]) -> None:
        for number, status in statuses:
            waiting, reply = self._waiting.get(number), replies.BY_STATUS.get(status)
            if waiting is not None and reply is not None:
                _settle(waiting, reply)

    def _take_patiently(self, post: ForwardedPost) -> IngestReply | None:
        """Answer later, when the stream's reader has caught up; at once where too many wait for that already."""
        if self._patient_posts >= MAX_WAITING_POSTS:
            return replies.BUSY
        self._background.start("relay: backpressure", self._answer_later(post))
        return None

    async def _answer_later(self, post: ForwardedPost) -> None:
        self._patient_posts += 1
        try:
            reply = await self._streams.ingest(post.stream_id, post.ticket, post.body)
        finally:
            self._patient_posts -= 1
        await self._send(post.sender, Replies([(post.number, reply.status)]).encode())


def _settle(waiting: asyncio.Future[IngestReply], reply: IngestReply) -> None:
    if not waiting.done():
        waiting.set_result(reply)


def _sign_of(worker_id: str) -> str:
    return f"relay:alive:{worker_id}"


def _mailbox_of(worker_id: str) -> str:
    return f"relay:{worker_id}"
