"""How long the ranking takes, by the number of places: ``python -m benchmarks.routing --ranking``."""

import time
from statistics import median

from resource_server.domain.affinity import affinity_key
from resource_server.domain.catalogue import ClusterRow, Place
from resource_server.domain.homes import Homes
from resource_server.domain.load import Load
from resource_server.domain.ranking import RouteRequest, rank
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from resource_server.domain.targets import SimulatedTarget

SIZES = (1, 2, 10, 100, 1000)
_DOCUMENT: dict[str, object] = {"messages": [{"content": "context " * 1000}, {"content": "question " * 100}]}


def measure_ranking(rounds: int = 301) -> dict[int, dict[str, float]]:
    """Median microseconds by places: with an affinity key, with a home, without a key, and of nothing but cold ones."""
    return {size: _measure(size, rounds) for size in SIZES}


def _measure(size: int, rounds: int) -> dict[str, float]:
    places = [_place(number) for number in range(size)]
    hot = {place.seed: Standing(ModelState.HOT, walltime_left_s=1000.0) for place in places}
    cold = {place.seed: Standing(ModelState.COLD, free_nodes=place.seed % 3) for place in places}
    loads = {place.seed: Load(number % 50, 128, 0.5) for number, place in enumerate(places)}
    homes = Homes()
    homes.note(affinity_key(_DOCUMENT, "sub") or b"", places[-1].seed)
    keyed = RouteRequest(lambda: affinity_key(_DOCUMENT, "sub"), 60.0)
    at_home = RouteRequest(keyed.find_affinity_key, 60.0, homes)
    cases = {
        "key": (hot, keyed),
        "home": (hot, at_home),
        "no key": (hot, RouteRequest(None, 60.0)),
        "cold": (cold, keyed),
    }
    return {
        name: median(_time_us(places, standings, loads, request) for _ in range(rounds))
        for name, (standings, request) in cases.items()
    }


def _place(number: int) -> Place:
    target = SimulatedTarget(cluster=f"c{number}", framework="f", model="m", backend="simulated")
    return Place(target, ClusterRow(f"c{number}"), ())


def _time_us(
    places: list[Place], standings: dict[int, Standing], loads: dict[int, Load], request: RouteRequest
) -> float:
    began = time.perf_counter()
    rank(places, lambda place: standings[place.seed], lambda place: loads[place.seed], request)
    return (time.perf_counter() - began) * 1e6
