"""Places to rank, plain."""

from typing import Any

from resource_server.domain.catalogue import ClusterRow, Place
from resource_server.domain.targets import parse_target


def place(cluster: str, **row: Any) -> Place:
    target = parse_target({"backend": "simulated", "cluster": cluster, "framework": "f", "model": "m"})
    return Place(target, ClusterRow(cluster, **row), ())


def names(places: list[Any]) -> str:
    """The clusters of places or candidates, in order: ``"ba"``."""
    return "".join(getattr(one, "place", one).target.cluster for one in places)
