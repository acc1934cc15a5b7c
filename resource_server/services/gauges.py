"""What the parts of a running gateway know of themselves, read for ``/metrics`` in a thread."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path

from resource_server.accounting import Accounting
from resource_server.identity.base import IdentityStats
from resource_server.services.catalogue import Catalogue
from resource_server.state.background import Background
from resource_server.state.base import State
from resource_server.telemetry.kinds import Reading
from resource_server.telemetry.loop_lag import LoopLag
from resource_server.telemetry.series import (
    CATALOGUE_AGE,
    DEGRADED,
    IDENTITY_EVENTS,
    RECORDS_LOST,
    SPOOL_SIZE,
    WORKERS,
)
from resource_server.telemetry.telemetry import Telemetry

NEVER_S = 366 * 86400.0
"""The age of what has never been: JSON has no infinity."""


class GatewayCollector:
    """One gateway's."""

    def __init__(self, catalogue: Catalogue, state: State, accounting: Accounting, identity: IdentityStats) -> None:
        self._catalogue = catalogue
        self._state = state
        self._accounting = accounting
        self._identity = identity

    def read(self) -> Iterable[Reading]:
        """See `Collector`."""
        yield CATALOGUE_AGE, (), min(self._catalogue.age_s(), NEVER_S)
        yield DEGRADED, ("redis",), self._state.is_degraded()
        yield DEGRADED, ("accounting",), self._accounting.is_degraded()
        yield RECORDS_LOST, (), self._accounting.lost
        for stat in fields(self._identity):
            yield IDENTITY_EVENTS, (stat.name,), getattr(self._identity, stat.name)

    def read_spool(self) -> Iterable[Reading]:
        """The same of what the workers of a machine share."""
        yield SPOOL_SIZE, (), self._accounting.waiting_bytes()


@asynccontextmanager
async def open_telemetry(data_dir: Path, *, serves: bool) -> AsyncIterator[Telemetry]:
    """The metrics of this process, told to the others of this machine by a folder in `data_dir`.

    `serves` says whether it is a worker of the gateway.
    """
    telemetry, lag, background = Telemetry(data_dir / "metrics"), LoopLag(), Background()
    telemetry.add(lag.read)
    WORKERS.set(to=serves)
    background.start("watch the event loop", lag.run())
    background.start("publish metrics", telemetry.run())
    try:
        yield telemetry
    finally:
        await background.aclose()
        await telemetry.aclose()
