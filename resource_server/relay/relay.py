"""The relay of one worker: its own streams, and a line to the workers that own the others."""

from resource_server.relay import replies
from resource_server.relay.base import IngestReply, Relay
from resource_server.relay.envelopes import is_worker_id
from resource_server.relay.local import LocalStreams, RelayLimits
from resource_server.relay.messages import MAX_MESSAGE_BYTES
from resource_server.relay.stream import LocalStream
from resource_server.relay.tickets import Tickets
from resource_server.state.base import State


class WorkerRelay:
    """See `relay.base.Relay`."""

    def __init__(self, streams: LocalStreams, tickets: Tickets, worker_id: str) -> None:
        self._streams = streams
        self._tickets = tickets
        self._worker_id = worker_id

    async def open(self, target_key: str, lifetime_s: float) -> LocalStream:
        """As `Relay.open`."""
        return self._streams.open(target_key, lifetime_s)

    async def ingest(self, stream_id: str, ticket: str, body: bytes) -> IngestReply:
        """As `Relay.ingest`."""
        owner, _, _ = stream_id.partition(".")
        if owner == self._worker_id:
            return await self._streams.ingest(stream_id, ticket, body)
        if not self._tickets.is_genuine(stream_id, ticket):
            return replies.FORBIDDEN
        if len(body) > MAX_MESSAGE_BYTES:
            return replies.TOO_LARGE
        return replies.GONE

    async def aclose(self) -> None:
        """As `Relay.aclose`."""
        await self._streams.aclose()


async def open_relay(
    state: State, base_url: str, secret: bytes, worker_id: str, limits: RelayLimits | None = None
) -> Relay:
    """The relay of this worker.

    Args:
        state: shared state carries posts that reached another worker than the stream's.
        base_url: where compute nodes reach the relay, ending in ``/resource_server/relay``.
        secret: the master secret, the same for all workers; the key of the tickets is derived from it.
        limits: caps; the defaults serve a worker of 1 GB.
        worker_id: unique among the living workers and new at every start: 1 to 64 letters, digits, ``_``, ``-``.

    Raises:
        ValueError: the worker id cannot stand in an address.
    """
    if not is_worker_id(worker_id):
        raise ValueError("a worker id has 1 to 64 letters, digits, '_' or '-'")
    tickets = Tickets(secret)
    return WorkerRelay(LocalStreams(base_url, tickets, worker_id, limits or RelayLimits()), tickets, worker_id)
