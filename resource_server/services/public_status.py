"""What everybody may know, without a token: clusters without access rules, and how many open models stand where."""

import time
from collections import defaultdict
from collections.abc import Callable

import orjson

from resource_server.domain.catalogue import ClusterRow, Place, Snapshot
from resource_server.domain.replies import Reply
from resource_server.domain.states import ModelState
from resource_server.services.catalogue import Catalogue
from resource_server.services.maintenance import describe_window
from resource_server.services.routing import Routing
from resource_server.status.board import Board

KEEP_S = 1.0
"""Anybody may ask as often as they like: the places are looked at once in so long."""


class PublicStatus:
    """Per cluster the open models' states counted, maintenance, and when the cluster was heard of last.

    A cluster on which nothing is open to everybody is not named. `clock` gives POSIX seconds.
    """

    def __init__(
        self, catalogue: Catalogue, routing: Routing, board: Board, clock: Callable[[], float] = time.time
    ) -> None:
        self._catalogue = catalogue
        self._routing = routing
        self._board = board
        self._clock = clock
        self._made_at = float("-inf")
        self._body = b""

    def describe(self) -> Reply:
        """The document, at most `KEEP_S` old. Raises `CatalogueStale`."""
        snapshot, now = self._catalogue.snapshot(), self._clock()
        if not 0 <= now - self._made_at < KEEP_S:
            self._body, self._made_at = self._build(snapshot, now), now
        return Reply(self._body)

    def _build(self, snapshot: Snapshot, now: float) -> bytes:
        clusters = {
            name: {
                "models": _count_states(self._routing, places),
                "maintenance": describe_window(places[0].cluster, now),
                "as_of": _find_as_of(self._board, places[0].cluster),
            }
            for name, places in sorted(_open_places(snapshot).items())
        }
        return orjson.dumps({"clusters": clusters})


def _open_places(snapshot: Snapshot) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = defaultdict(list)
    for (cluster, _), models in snapshot.paths.items():
        found[cluster] += [place for places in models.values() for place in places if not place.rules]
    return {cluster: places for cluster, places in found.items() if places}


def _count_states(routing: Routing, places: list[Place]) -> dict[str, int]:
    counts = dict.fromkeys(ModelState, 0)
    for place in places:
        counts[routing.standing(place).state] += 1
    return {state.value: count for state, count in counts.items()}


def _find_as_of(board: Board, cluster: ClusterRow) -> int | None:
    sighting = board.find(cluster.name) if cluster.has_status_function else None
    return None if sighting is None else round(sighting.as_of)
