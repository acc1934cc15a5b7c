"""The background role: asks the clusters where their jobs stand, for everybody. Requests never ask."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping

import orjson
from django.db import Error as DatabaseError

from resource_server.backends.base import BackendFailure, FunctionRunner
from resource_server.domain.catalogue import ClusterRow
from resource_server.domain.cluster_report import ReportInvalid
from resource_server.models import ClusterStatus
from resource_server.services.database import DatabaseThread
from resource_server.state.background import Background
from resource_server.state.base import State
from resource_server.status.board import Board, see
from resource_server.telemetry.series import CONTROLLER_IS_LEADER

logger = logging.getLogger(__name__)

KEY = "status:board"
LEASE = "controller"
LEASE_S = 15.0
LOOK_S = 2.0
KEEP_S = 3600.0
LEAST_INTERVAL_S = 60.0
"""How often a cluster is asked where few are asked; `STATUS_INTERVAL_S` changes it."""
SHARE = 0.25
"""Of the calls that Globus Compute allows; the rest is for requests."""
POLL_S = 120.0
"""A status function may take so long: two calls of a busy scheduler, and a look at the jobs."""
LONGEST_BACKOFF_S = 900.0


def find_interval_s(clusters: int, call_interval_s: float, least_s: float = LEAST_INTERVAL_S) -> float:
    """How often each cluster is asked, so that all of them take no more than `SHARE` of the calls.

    Args:
        clusters: how many there are.
        call_interval_s: seconds between calls that the service allows on average.
        least_s: what is often enough.
    """
    return max(least_s, clusters * call_interval_s / SHARE)


class Controller:
    """Keeps the board fresh: as the one that asks while it holds the lease, else as a reader.

    Args:
        clusters: those of the catalogue, now.
        runner: by which status functions are run.
        owner: this process, among those that share `state`.
        call_interval_s: seconds between calls that the service allows on average.
        least_interval_s: see `find_interval_s`.
        asks: whether this process may ask; otherwise it reads only.
    """

    def __init__(  # noqa: PLR0913 - collaborators, all injected
        self,
        board: Board,
        clusters: Callable[[], Iterable[ClusterRow]],
        runner: FunctionRunner,
        state: State,
        database: DatabaseThread,
        *,
        owner: str,
        call_interval_s: float,
        least_interval_s: float = LEAST_INTERVAL_S,
        asks: bool = True,
    ) -> None:
        self._board = board
        self._clusters = clusters
        self._runner = runner
        self._state = state
        self._database = database
        self._owner = owner
        self._call_interval_s = call_interval_s
        self._least_interval_s = least_interval_s
        self._asks = asks
        self._due_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._polls = Background()
        self._asked: set[str] = set()

    async def run(self) -> None:
        """Until cancelled."""
        await self._restore()
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_S)
        finally:
            CONTROLLER_IS_LEADER.set(to=False)
            await self._polls.aclose()
            await self._state.leases.release(LEASE, self._owner)

    async def look(self) -> None:
        """One round: begin the polls that are due, or read what another process has found."""
        await self._read()
        is_leader = self._asks and await self._state.leases.acquire(LEASE, self._owner, LEASE_S)
        CONTROLLER_IS_LEADER.set(to=is_leader)
        if is_leader:
            clusters = {row.name: row for row in self._clusters() if row.has_status_function}
            self._board.forget(set(self._board.sightings) - clusters.keys())
            self._begin_polls(clusters)

    async def _read(self) -> None:
        index = await self._state.key_value.get(KEY)
        for cluster in self._board.read_index(index) if index else ():
            published = await self._state.key_value.get(_report_key(cluster))
            match _parse_published(published):
                case (str() as raw, float() as as_of):
                    await self._keep(cluster, raw, as_of)

    def _begin_polls(self, clusters: Mapping[str, ClusterRow]) -> None:
        interval_s = find_interval_s(len(clusters), self._call_interval_s, self._least_interval_s)
        now = time.monotonic()
        for name, row in clusters.items():
            if name not in self._asked and self._due_at.get(name, now) <= now:
                self._asked.add(name)
                self._polls.start("ask for status", self._poll(row, interval_s), about=name)

    async def _poll(self, row: ClusterRow, interval_s: float) -> None:
        pause_s = interval_s
        try:
            raw = await self._runner.run_function(
                row.status_endpoint_uuid, row.status_function_uuid, time.monotonic() + POLL_S
            )
            self._board.take(row.name, await asyncio.to_thread(see, row.name, raw, time.time()))
            self._failures.pop(row.name, None)
            await self._publish(row.name)
        except (BackendFailure, ReportInvalid) as exc:
            failures = self._failures[row.name] = self._failures.get(row.name, 0) + 1
            pause_s = min(interval_s * 2.0 ** min(failures - 1, 10), max(LONGEST_BACKOFF_S, interval_s))
            logger.warning("cluster_status_failed cluster=%s failures=%d detail=%.300s", row.name, failures, exc)
        finally:
            self._asked.discard(row.name)
            self._due_at[row.name] = time.monotonic() + pause_s * random.uniform(0.9, 1.0)  # noqa: S311 - jitter

    async def _publish(self, cluster: str) -> None:
        sighting = self._board.sightings.get(cluster)
        if sighting is None:
            return
        published = orjson.dumps([sighting.raw, sighting.as_of])
        await self._state.key_value.set(_report_key(cluster), published, KEEP_S)
        await self._state.key_value.set(KEY, self._board.encode_index(), KEEP_S)
        values = {"report": sighting.raw, "as_of": sighting.as_of}
        try:
            await self._database.run(lambda: ClusterStatus.objects.update_or_create(cluster=cluster, defaults=values))
        except (DatabaseError, OSError, TimeoutError) as exc:
            logger.warning("cluster_status_not_kept cluster=%s error=%s", cluster, type(exc).__name__)

    async def _restore(self) -> None:
        """Begin with what was known last, however old: what is stale says so."""
        try:
            rows = await self._database.run(
                lambda: list(ClusterStatus.objects.values_list("cluster", "report", "as_of"))
            )
        except (DatabaseError, OSError, TimeoutError) as exc:
            logger.warning("cluster_status_not_read error=%s", type(exc).__name__)
            return
        for cluster, report, as_of in rows:
            await self._keep(cluster, report, as_of)

    async def _keep(self, cluster: str, raw: str, as_of: float) -> None:
        with contextlib.suppress(ReportInvalid):
            self._board.keep(cluster, await asyncio.to_thread(see, cluster, raw, as_of))


def _read_rows() -> list[tuple[str, str, float]]:
    return list(ClusterStatus.objects.values_list("cluster", "report", "as_of"))


def _report_key(cluster: str) -> str:
    return f"status:report:{cluster}"


def _parse_published(data: bytes | None) -> object:
    try:
        document = orjson.loads(data) if data else None
    except orjson.JSONDecodeError:
        return None
    return tuple(document) if isinstance(document, list) else None
