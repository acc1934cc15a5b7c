"""The catalogue in memory, following the database."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection

from django.db import Error as DatabaseError

from resource_server.domain.catalogue import ClusterRow, Snapshot, build_snapshot
from resource_server.domain.errors import CatalogueStale
from resource_server.models.catalogue import fingerprint, read_closed, read_clusters, read_endpoints, read_federated
from resource_server.services.database import DatabaseThread

logger = logging.getLogger(__name__)

POLL_INTERVAL_S = 2.0
MAX_AGE_S = 600.0


class Catalogue:
    """Holds the newest snapshot. Reading it never touches the database."""

    def __init__(self, database: DatabaseThread, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._fingerprint = ""
        self._snapshot: Snapshot | None = None
        self._confirmed_at = float("-inf")

    def snapshot(self) -> Snapshot:
        """The catalogue, confirmed by the database at most 10 minutes ago. Raises `CatalogueStale`."""
        if self._snapshot is None or self._clock() - self._confirmed_at > MAX_AGE_S:
            raise CatalogueStale(
                "The model catalogue cannot be read at the moment. Try again in a minute.", retry_after_s=30
            )
        return self._snapshot

    def is_ready(self) -> bool:
        """Whether `snapshot` would return."""
        return self._snapshot is not None and self._clock() - self._confirmed_at <= MAX_AGE_S

    def clusters(self) -> Collection[ClusterRow]:
        """Every cluster that serves something, once. Raises `CatalogueStale`."""
        return {place.cluster.name: place.cluster for place in self.snapshot().places()}.values()

    def age_s(self) -> float:
        """Seconds since the database last confirmed the snapshot."""
        return self._clock() - self._confirmed_at

    async def refresh(self) -> bool:
        """Ask the database once; False where it cannot be asked."""
        asked_at = self._clock()
        try:
            loaded = await self._database.run(lambda: _load(self._fingerprint))
        except (DatabaseError, OSError, TimeoutError, ValueError, TypeError) as exc:  # the last two: rows like no row
            logger.warning("catalogue_refresh_failed age_s=%.0f error=%s", self.age_s(), type(exc).__name__)
            return False
        if loaded is not None:
            self._fingerprint, self._snapshot = loaded
            logger.info("catalogue_loaded federated=%d", len(self._snapshot.federated))
        self._confirmed_at = asked_at
        return True

    async def follow(self) -> None:
        """Refresh for ever."""
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            await self.refresh()


def _load(known: str) -> tuple[str, Snapshot] | None:
    """The fingerprint and snapshot, or `None` where nothing changed since `known`."""
    current = fingerprint()
    if current == known:
        return None
    return current, read_snapshot()


def read_snapshot() -> Snapshot:
    """The catalogue as the database has it now; blocks."""
    return build_snapshot(read_clusters(), read_endpoints(), read_federated(), read_closed())
