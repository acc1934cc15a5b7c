"""Who chooses: the shipped ranking, and what it is held against. All see the same states and the same loads."""

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

from benchmarks.routing.target import FleetTarget
from benchmarks.routing.traffic import Ask
from resource_server.domain.affinity import affinity_key
from resource_server.domain.homes import Homes
from resource_server.domain.ranking import RouteRequest, rank
from resource_server.domain.states import ModelState

Policy: TypeAlias = Callable[[Ask], list[FleetTarget]]
Maker: TypeAlias = Callable[[Sequence[FleetTarget], random.Random, float], Policy]
"""From the targets, a source of chance and the seconds that an answer is expected to take."""

SHIPPED, ROUND_ROBIN, RANDOM, LEAST_LOADED = "shipped ranking", "round robin", "random", "least loaded"


def make_shipped(targets: Sequence[FleetTarget], chance: random.Random, expected_s: float) -> Policy:
    """`resource_server.domain.ranking`, as the gateway calls it."""
    by_seed = {target.place.seed: target for target in targets}
    places = [target.place for target in targets]

    homes = Homes()

    def choose(ask: Ask) -> list[FleetTarget]:
        key = affinity_key(ask.document, ask.user)
        request = RouteRequest(lambda: key, expected_s, homes)
        ranked = rank(
            places,
            lambda place: by_seed[place.seed].standing,
            lambda place: by_seed[place.seed].load(),
            request,
            chance=chance,
        )
        if key is not None and ranked and ranked[0].settles:
            homes.note(key, ranked[0].place.seed)
        return [by_seed[candidate.place.seed] for candidate in ranked]

    return choose


def _hot(targets: Sequence[FleetTarget]) -> list[FleetTarget]:
    """Those that serve and have room, else those that serve."""
    hot = [target for target in targets if target.standing.state is ModelState.HOT]
    return [target for target in hot if target.in_flight < target.capacity] or hot


def make_round_robin(targets: Sequence[FleetTarget], _chance: random.Random, _expected_s: float) -> Policy:
    """Each in turn."""
    turn = 0

    def choose(_ask: Ask) -> list[FleetTarget]:
        nonlocal turn
        turn += 1
        hot = _hot(targets)
        start = turn % len(hot) if hot else 0
        return hot[start:] + hot[:start]

    return choose


def make_random(targets: Sequence[FleetTarget], chance: random.Random, _expected_s: float) -> Policy:
    """Any."""

    def choose(_ask: Ask) -> list[FleetTarget]:
        hot = _hot(targets)
        chance.shuffle(hot)
        return hot

    return choose


def make_least_loaded(targets: Sequence[FleetTarget], chance: random.Random, _expected_s: float) -> Policy:
    """The one with the fewest in flight against its capacity."""

    def choose(_ask: Ask) -> list[FleetTarget]:
        hot = _hot(targets)
        chance.shuffle(hot)
        return sorted(hot, key=lambda target: target.in_flight / target.capacity)

    return choose


POLICIES: dict[str, Maker] = {
    SHIPPED: make_shipped,
    ROUND_ROBIN: make_round_robin,
    RANDOM: make_random,
    LEAST_LOADED: make_least_loaded,
}
