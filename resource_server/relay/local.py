"""The streams of this process: opened by a backend, fed by posts, forgotten when closed."""

import secrets
from dataclasses import dataclass, field

from resource_server.relay import replies
from resource_server.relay.assembly import Assembly, Memory, StreamLimits
from resource_server.relay.base import IngestReply, RelayFailed
from resource_server.relay.messages import MAX_MESSAGE_BYTES, MalformedMessage, Message, parse_message
from resource_server.relay.stream import LocalStream
from resource_server.relay.tickets import Tickets
from resource_server.telemetry.series import RELAY_MEMORY, RELAY_STREAMS


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """Caps of all streams of a process.

    Attributes:
        stream: caps of each stream.
        streams: how many may be open at once.
        memory_bytes: data of all streams in memory, above which posts are turned away.
        backpressure_wait_s: how long a POST waits for its reader before it is told to come again.
    """

    stream: StreamLimits = field(default_factory=StreamLimits)
    streams: int = 4_000
    memory_bytes: int = 256 << 20
    backpressure_wait_s: float = 10.0


class LocalStreams:
    """All streams that this process reads.

    Args:
        base_url: where compute nodes reach the relay.
        tickets: issues and verifies.
        worker_id: begins every stream id.
        limits: caps.
    """

    def __init__(self, base_url: str, tickets: Tickets, worker_id: str, limits: RelayLimits) -> None:
        self._base_url = base_url.rstrip("/")
        self._tickets = tickets
        self._worker_id = worker_id
        self._limits = limits
        self._memory = Memory(limits.memory_bytes)
        self._streams: dict[str, LocalStream] = {}

    def open(self, target_key: str, lifetime_s: float) -> LocalStream:
        """As `Relay.open`.

        Raises:
            RelayFailed: too many streams are open.
        """
        if len(self._streams) >= self._limits.streams:
            raise RelayFailed("too many streams are open")
        stream_id = f"{self._worker_id}.{secrets.token_hex(16)}"
        stream = LocalStream(
            stream_id,
            f"{self._base_url}/{stream_id}",
            self._tickets.issue(stream_id, target_key, lifetime_s),
            Assembly(self._limits.stream, self._memory),
            self._forget,
        )
        self._streams[stream_id] = stream
        RELAY_STREAMS.add(by=1)
        return stream

    def offer(self, stream_id: str, ticket: str, body: bytes) -> IngestReply | None:
        """Take a POST at once; `None` when the stream's reader has to catch up first."""
        found = self._find(stream_id, ticket, body)
        if isinstance(found, IngestReply):
            return found
        stream, message = found
        return self._noted(stream.offer(message))

    async def ingest(self, stream_id: str, ticket: str, body: bytes) -> IngestReply:
        """Take a POST as soon as the stream's reader has caught up."""
        found = self._find(stream_id, ticket, body)
        if isinstance(found, IngestReply):
            return found
        stream, message = found
        reply = self._noted(stream.offer(message))
        return reply or await stream.offer_patiently(message, self._limits.backpressure_wait_s)

    async def aclose(self) -> None:
        """Close every stream."""
        for stream in list(self._streams.values()):
            await stream.aclose()

    def _find(self, stream_id: str, ticket: str, body: bytes) -> tuple[LocalStream, Message] | IngestReply:
        if not self._tickets.is_genuine(stream_id, ticket):
            return replies.FORBIDDEN
        stream = self._streams.get(stream_id)
        if stream is None:
            return replies.GONE
        if len(body) > MAX_MESSAGE_BYTES:
            return replies.TOO_LARGE
        if self._memory.is_full():
            return replies.BUSY
        try:
            return stream, parse_message(body)
        except MalformedMessage:
            return replies.MALFORMED

    def _noted(self, reply: IngestReply | None) -> IngestReply | None:
        RELAY_MEMORY.set(to=self._memory.held_bytes)
        return reply

    def _forget(self, stream_id: str) -> None:
        if self._streams.pop(stream_id, None) is not None:
            RELAY_STREAMS.add(by=-1)
        RELAY_MEMORY.set(to=self._memory.held_bytes)
