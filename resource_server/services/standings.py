"""Where each place stands: what the backends say, corrected by what this process has seen for itself."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from resource_server.backends.base import Backend
from resource_server.domain.catalogue import Place
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from resource_server.services.traffic import Traffic
from resource_server.status.board import Board

_BEFORE_HOT = frozenset({ModelState.STARTING, ModelState.QUEUED, ModelState.COLD})


def build_reported(
    backends: Mapping[str, Backend], board: Board, clock: Callable[[], float] = time.time
) -> Callable[[Place], Standing]:
    """What is known of places from outside this process: the operator's word, then the cluster's and the backend's.

    `clock` gives POSIX seconds.
    """

    def reported(place: Place) -> Standing:
        cluster = place.cluster
        # Most clusters have no window, and a thousand of them are asked within a millisecond.
        if (cluster.maintenance or cluster.maintenance_from is not None) and cluster.is_in_maintenance(clock()):
            return Standing(ModelState.MAINTENANCE)
        return board.standing(place, backends[place.target.backend].state(place.target))

    return reported


class Standings:
    """From memory; asks nobody, and changes nothing: any thread may read.

    Args:
        reported: what is known from outside.
    """

    def __init__(self, reported: Callable[[Place], Standing], traffic: Traffic) -> None:
        self._reported = reported
        self._traffic = traffic

    def of(self, place: Place) -> Standing:
        """Where the place stands now: offline where it fails, hot where it has answered since it was reported."""
        standing = self._reported(place)
        traffic = self._traffic.find(place)
        if traffic is None:
            return standing
        if traffic.breaker.is_open() and standing.state is ModelState.HOT:
            return replace(standing, state=ModelState.OFFLINE)
        is_news = standing.as_of is not None and traffic.answered_at > standing.as_of
        if is_news and standing.state in _BEFORE_HOT:
            return replace(standing, state=ModelState.HOT, as_of=traffic.answered_at, eta_s=None)
        return standing
