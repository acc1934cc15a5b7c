"""Where every target of the catalogue stands, for ``/metrics``. Labels come from the catalogue and fixed words."""

import time
from collections.abc import Callable, Iterable
from heapq import nlargest

from resource_server.domain.catalogue import Place
from resource_server.services.catalogue import Catalogue
from resource_server.services.routing import Routing
from resource_server.status.board import Board
from resource_server.telemetry.kinds import Gauge, Reading
from resource_server.telemetry.series import (
    CLUSTER_REPORT_AGE,
    MODEL_STATE,
    TARGET_EJECTED,
    TARGET_QUEUE_LENGTH,
    TARGET_REQUESTS,
)

MOST_TARGETS = 300
"""A gauge that a thousand targets could have shows so many of them: those with the largest values."""


class TargetCollector:
    """One gateway's view of the targets. Read in a thread: nothing here changes what the event loop uses.

    `clock` gives POSIX seconds.
    """

    def __init__(
        self, catalogue: Catalogue, routing: Routing, board: Board, clock: Callable[[], float] = time.time
    ) -> None:
        self._catalogue = catalogue
        self._routing = routing
        self._board = board
        self._clock = clock

    def read_states(self) -> Iterable[Reading]:
        """What every worker knows alike; nothing while there is no catalogue to take labels from."""
        places = self._places()
        for place in places:
            yield MODEL_STATE, (*place.key, self._routing.standing(place).state.value), 1
        now = self._clock()
        for name in {place.cluster.name for place in places if place.cluster.has_status_function}:
            sighting = self._board.find(name)
            if sighting is not None:
                yield CLUSTER_REPORT_AGE, (name,), max(now - sighting.as_of, 0.0)

    def read_traffic(self) -> Iterable[Reading]:
        """What this worker's own requests show: of targets where there is something to see."""
        readings: dict[Gauge, list[Reading]] = {TARGET_EJECTED: [], TARGET_QUEUE_LENGTH: [], TARGET_REQUESTS: []}
        for place in self._places():
            traffic = self._routing.find_traffic(place)
            if traffic is None:
                continue
            for gauge, amount in (
                (TARGET_EJECTED, traffic.breaker.is_open()),
                (TARGET_QUEUE_LENGTH, traffic.gate.waiting),
                (TARGET_REQUESTS, traffic.gate.inside),
            ):
                if amount:
                    readings[gauge].append((gauge, place.key, amount))
        for found in readings.values():
            yield from nlargest(MOST_TARGETS, found, key=lambda reading: reading[2])

    def _places(self) -> list[Place]:
        """Each once: federated models lead to the places that are on paths as well."""
        paths = self._catalogue.snapshot().paths.values() if self._catalogue.is_ready() else ()
        return [place for models in paths for places in models.values() for place in places]
