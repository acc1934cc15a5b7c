"""The relay of one worker: its own streams, and a line to the workers that own the others."""

from resource_server.relay import replies
from resource_server.relay.base import IngestReply, Relay
from resource_server.relay.envelopes import is_worker_id
from resource_server.relay.local import LocalStreams, RelayLimits
from resource_server.relay.messages import MAX_MESSAGE_BYTES
from resource_server.relay.peers import Peers
from resource_server.relay.stream import LocalStream
from resource_server.relay.tickets import Tickets
from resource_server.state.base import State
from resource_server.telemetry.series import RELAY_POSTS

_OUTCOMES = {
    replies.TAKEN.status: "taken",
    replies.MALFORMED.status: "malformed",
    replies.FORBIDDEN.status: "forbidden",
    replies.AHEAD.status: "ahead",
    replies.GONE.status: "gone",
    replies.TOO_LARGE.status: "too_large",
    replies.BUSY.status: "busy",
}
"""The replies in words for metrics."""


class WorkerRelay:
    """See `relay.base.Relay`.

    Args:
        peers: `None` where no other worker shares the state: a stream of anybody else's is then one of a worker gone.
    """

    def __init__(self, worker_id: str, tickets: Tickets, streams: LocalStreams, peers: Peers | None) -> None:
        self._worker_id = worker_id
        self._tickets = tickets
        self._streams = streams
        self._peers = peers

    async def open(self, target_key: str, lifetime_s: float) -> LocalStream:
        """As `Relay.open`."""
        return self._streams.open(target_key, lifetime_s)

    async def ingest(self, stream_id: str, ticket: str, body: bytes) -> IngestReply:
        """As `Relay.ingest`."""
        reply = await self._ingest(stream_id, ticket, body)
        RELAY_POSTS.inc(_OUTCOMES[reply.status])
        return reply

    async def _ingest(self, stream_id: str, ticket: str, body: bytes) -> IngestReply:
        owner, _, _ = stream_id.partition(".")
        if owner == self._worker_id:
            return await self._streams.ingest(stream_id, ticket, body)
        if not self._tickets.is_genuine(stream_id, ticket):
            return replies.FORBIDDEN
        if len(body) > MAX_MESSAGE_BYTES:
            return replies.TOO_LARGE
        return replies.GONE if self._peers is None else await self._peers.forward(owner, stream_id, ticket, body)

    async def aclose(self) -> None:
        """As `Relay.aclose`."""
        await self._streams.aclose()
        if self._peers is not None:
            await self._peers.aclose()


async def open_relay(
    state: State, base_url: str, secret: bytes, worker_id: str, limits: RelayLimits | None = None
) -> Relay:
    """The relay of this worker.

    Args:
        state: where it is shared, it carries posts that reached another worker than the stream's.
        base_url: where compute nodes reach the relay, ending in ``/resource_server/relay``.
        secret: the master secret, the same for all workers; the key of the tickets is derived from it.
        worker_id: unique, and new at every start: 1 to 64 letters, digits, ``_``, ``-``.
        limits: caps; the defaults suit a worker with 1 GB of memory.

    Raises:
        ValueError: the worker id cannot stand in an address.
    """
    if not is_worker_id(worker_id):
        raise ValueError("a worker id has 1 to 64 letters, digits, '_' or '-'")
    tickets = Tickets(secret)
    streams = LocalStreams(base_url, tickets, worker_id, limits or RelayLimits())
    peers = Peers(state, worker_id, streams) if state.shared else None
    if peers is not None:
        await peers.open()
    return WorkerRelay(worker_id, tickets, streams, peers)
