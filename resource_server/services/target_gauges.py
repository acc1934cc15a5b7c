"""Where every target of the catalogue stands, for ``/metrics``. Labels come from the catalogue and fixed words."""

import time
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from resource_server.domain.catalogue import Place
from resource_server.domain.states import ModelState
from resource_server.services.catalogue import Catalogue
from resource_server.services.routing import Routing
from resource_server.status.board import Board

_KEY = ("cluster", "framework", "model")


class TargetCollector(Collector):
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

    def collect(self) -> Iterator[Metric]:
        """The metrics; none while there is no catalogue to take labels from."""
        if not self._catalogue.is_ready():
            return
        snapshot = self._catalogue.snapshot()
        places = [place for models in snapshot.paths.values() for one in models.values() for place in one]
        yield self._collect_states(places)
        yield self._collect_ages(places)
        yield from self._collect_traffic(places)

    def _collect_states(self, places: list[Place]) -> Metric:
        gauge = GaugeMetricFamily(
            "gateway_model_state", "1 for the state in which the model is, 0 for the others.", labels=(*_KEY, "state")
        )
        for place in places:
            current = self._routing.standing(place).state
            for state in ModelState:
                gauge.add_metric((*place.key, state.value), state is current)
        return gauge

    def _collect_ages(self, places: list[Place]) -> Metric:
        gauge = GaugeMetricFamily(
            "gateway_cluster_report_age_seconds",
            "Since the cluster's status function answered; nothing where it never has.",
            labels=("cluster",),
        )
        now = self._clock()
        for name in sorted({place.cluster.name for place in places if place.cluster.has_status_function}):
            sighting = self._board.find(name)
            if sighting is not None:
                gauge.add_metric((name,), max(now - sighting.as_of, 0.0))
        return gauge

    def _collect_traffic(self, places: list[Place]) -> Iterator[Metric]:
        ejected = GaugeMetricFamily(
            "gateway_target_ejected", "1 while the target is left out because it fails.", labels=_KEY
        )
        queued = GaugeMetricFamily("gateway_target_queue_length", "Requests that wait for the target.", labels=_KEY)
        inside = GaugeMetricFamily("gateway_target_requests", "Requests at the target now.", labels=_KEY)
        for place in places:
            traffic = self._routing.find_traffic(place)
            ejected.add_metric(place.key, traffic is not None and traffic.breaker.is_open())
            queued.add_metric(place.key, traffic.gate.waiting if traffic is not None else 0)
            inside.add_metric(place.key, traffic.gate.inside if traffic is not None else 0)
        yield from (ejected, queued, inside)
