"""Which places are tried, and in which order."""

from typing import Any

from resource_server.domain.catalogue import ClusterRow, Place
from resource_server.domain.ranking import rank
from resource_server.domain.states import ModelState
from resource_server.domain.targets import parse_target


def place(cluster: str, **row: Any) -> Place:
    target = parse_target({"backend": "simulated", "cluster": cluster, "framework": "f", "model": "m"})
    return Place(target, ClusterRow(cluster, **row), ())


def test_rank_keeps_the_operators_order_and_gives_reasons() -> None:
    ranked = rank([place("a"), place("b")], lambda _: ModelState.HOT)
    assert [candidate.place.target.cluster for candidate in ranked] == ["a", "b"]
    assert "operator's order" in ranked[0].reason


def test_rank_leaves_out_offline_and_maintenance() -> None:
    places = [place("a"), place("b", maintenance=True), place("c")]
    ranked = rank(places, lambda p: ModelState.OFFLINE if p.target.cluster == "a" else ModelState.HOT)
    assert [candidate.place.target.cluster for candidate in ranked] == ["c"]
