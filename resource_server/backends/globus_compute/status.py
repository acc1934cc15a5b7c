"""Which compute endpoints are online: asked for by one worker, known to all."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from resource_server.backends.globus_compute.pacing import Pacing
from resource_server.backends.globus_compute.service import ComputeError, ComputeService
from resource_server.state.base import State

logger = logging.getLogger(__name__)

KEY = "globus_compute:endpoints"
LEASE = "globus_compute:status"
ROUNDS_PER_INTERVAL = 6
TRUSTED_INTERVALS = 3
"""What is older counts as unknown."""
_UNUSABLE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was known of an endpoint at `seen_at`, POSIX seconds: processes have to agree on it."""

    is_online: bool
    seen_at: float


class EndpointStatus:
    """Every endpoint's status from memory. An endpoint that nobody has seen counts as online: it is tried.

    Args:
        endpoint_ids: the compute endpoints of the catalogue, now.
        interval_s: how often each endpoint is asked for.
    """

    def __init__(
        self,
        service: ComputeService,
        pacing: Pacing,
        state: State,
        endpoint_ids: Callable[[], Iterable[str]],
        interval_s: float,
    ) -> None:
        self._service = service
        self._pacing = pacing
        self._state = state
        self._endpoint_ids = endpoint_ids
        self._owner = secrets.token_hex(8)
        self._interval_s = interval_s
        self._seen: dict[str, Sighting] = {}

    def is_offline(self, endpoint_id: str) -> bool:
        """Whether the endpoint is known to be away."""
        seen = self._seen.get(endpoint_id)
        return seen is not None and not seen.is_online and not self._is_older(seen, TRUSTED_INTERVALS)

    def note_online(self, endpoint_id: str) -> None:
        """A function of this endpoint was heard: no need to ask."""
        self._seen[endpoint_id] = Sighting(is_online=True, seen_at=time.time())

    async def run(self) -> None:
        """Keep the snapshot fresh until cancelled: as the one that asks while it holds the lease, else as a reader."""
        try:
            while True:
                wanted = set(self._endpoint_ids())
                self._seen = {endpoint_id: seen for endpoint_id, seen in self._seen.items() if endpoint_id in wanted}
                if await self._is_asker():
                    await self._ask_all(wanted)
                else:
                    self._read(await self._state.key_value.get(KEY))
                await asyncio.sleep(self._interval_s / ROUNDS_PER_INTERVAL)
        finally:
            await self._state.leases.release(LEASE, self._owner)

    async def _is_asker(self) -> bool:
        return await self._state.leases.acquire(LEASE, self._owner, 2 * self._interval_s)

    async def _ask_all(self, endpoint_ids: Iterable[str]) -> None:
        for endpoint_id in sorted(endpoint_ids):
            seen = self._seen.get(endpoint_id)
            is_due = seen is None or self._is_older(seen, 1 - 1 / ROUNDS_PER_INTERVAL)
            if is_due and await self._is_asker():
                await self._ask(endpoint_id)
        ttl_s = TRUSTED_INTERVALS * self._interval_s
        await self._state.key_value.set(KEY, self._encode(), ttl_s)

    async def _ask(self, endpoint_id: str) -> None:
        await self._pacing.turn_to_look()
        try:
            is_online = await self._service.is_online(endpoint_id)
        except ComputeError as exc:
            logger.warning("endpoint_status_unknown endpoint=%s detail=%s", endpoint_id, exc)
            if exc.status not in _UNUSABLE:
                return
            is_online = False
        self._seen[endpoint_id] = Sighting(is_online, time.time())

    def _is_older(self, seen: Sighting, intervals: float) -> bool:
        return time.time() - seen.seen_at > intervals * self._interval_s

    def _encode(self) -> bytes:
        return orjson.dumps({endpoint_id: [seen.is_online, seen.seen_at] for endpoint_id, seen in self._seen.items()})

    def _read(self, published: bytes | None) -> None:
        """Take over what another worker has published, checked like anything from outside."""
        try:
            entries = orjson.loads(published) if published else {}
        except orjson.JSONDecodeError:
            return
        for endpoint_id, entry in entries.items() if isinstance(entries, dict) else ():
            match entry:
                case [bool(is_online), float(seen_at)]:
                    known = self._seen.get(endpoint_id)
                    if known is None or known.seen_at < seen_at:
                        self._seen[endpoint_id] = Sighting(is_online, seen_at)
