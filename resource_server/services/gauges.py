"""What the parts of a running gateway know of themselves, read when ``/metrics`` is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from resource_server.accounting import Accounting
from resource_server.identity.base import IdentityStats
from resource_server.services.catalogue import Catalogue
from resource_server.state.base import State


class GatewayCollector(Collector):
    """One gateway's gauges and counters."""

    def __init__(self, catalogue: Catalogue, state: State, accounting: Accounting, identity: IdentityStats) -> None:
        self._catalogue = catalogue
        self._state = state
        self._accounting = accounting
        self._identity = identity

    def collect(self) -> Iterator[Metric]:
        """The metrics, in Prometheus's data model."""
        yield GaugeMetricFamily(
            "gateway_catalogue_age_seconds",
            "Since the database last confirmed the catalogue; over 600 the gateway answers 503.",
            self._catalogue.age_s(),
        )
        degraded = GaugeMetricFamily("gateway_degraded", "1 while the part is degraded.", labels=("part",))
        degraded.add_metric(("redis",), self._state.is_degraded())
        degraded.add_metric(("accounting",), self._accounting.is_degraded())
        yield degraded
        yield CounterMetricFamily(
            "gateway_records_lost", "Records for which there was neither disk nor memory.", self._accounting.lost
        )
        identity = CounterMetricFamily("gateway_identity_events", "How callers were recognised.", labels=("event",))
        for stat in fields(self._identity):
            identity.add_metric((stat.name,), getattr(self._identity, stat.name))
        yield identity


@contextmanager
def exported(*collectors: Collector) -> Iterator[None]:
    """Show the collectors' metrics for as long as the context lasts."""
    for collector in collectors:
        REGISTRY.register(collector)
    try:
        yield
    finally:
        for collector in collectors:
            REGISTRY.unregister(collector)
