"""Who chooses: the shipped ranking, and what it is held against. All see the same states and the same loads."""

import random
from collections import deque
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

HEARD_AFTER_S = 1.0

SHIPPED, FOUR_WORKERS, FOUR_SHARING = "shipped ranking", "four workers, strangers", "four workers, sharing homes"
ROUND_ROBIN, RANDOM, LEAST_LOADED, DIVIDED = "round robin", "random", "least loaded", "(divided in advance)"


def make_shipped(targets: Sequence[FleetTarget], chance: random.Random, expected_s: float) -> Policy:
    """`resource_server.domain.ranking` in one worker, as the gateway calls it."""
    return _make_worker(targets, chance, expected_s, Homes())


def make_four_workers(targets: Sequence[FleetTarget], chance: random.Random, expected_s: float) -> Policy:
    """The same in four workers that know all that is in flight, and of homes only their own."""
    workers = [_make_worker(targets, chance, expected_s, Homes()) for _ in range(4)]

    def choose(ask: Ask) -> list[FleetTarget]:
        return chance.choice(workers)(ask)

    return choose


def make_four_sharing(targets: Sequence[FleetTarget], chance: random.Random, expected_s: float) -> Policy:
    """The same in four workers that hear of each other's homes a second later."""
    rumours: deque[tuple[float, bytes, int]] = deque()
    homes = [_TalkingHomes(rumours) for _ in range(4)]
    workers = [_make_worker(targets, chance, expected_s, each) for each in homes]

    def choose(ask: Ask) -> list[FleetTarget]:
        while rumours and rumours[0][0] <= ask.asked_at - HEARD_AFTER_S:
            _, key, seed = rumours.popleft()
            for each in homes:
                each.hear(key, seed)
        turn = chance.randrange(4)
        homes[turn].now_s = ask.asked_at
        return workers[turn](ask)

    return choose


class _TalkingHomes(Homes):
    def __init__(self, rumours: deque[tuple[float, bytes, int]]) -> None:
        super().__init__()
        self.now_s = 0.0
        self._rumours = rumours

    def note(self, key: bytes, seed: int) -> None:
        super().note(key, seed)
        self._rumours.append((self.now_s, key, seed))

    def hear(self, key: bytes, seed: int) -> None:
        super().note(key, seed)


def _make_worker(targets: Sequence[FleetTarget], chance: random.Random, expected_s: float, homes: Homes) -> Policy:
    by_seed = {target.place.seed: target for target in targets}
    places = [target.place for target in targets]

    def choose(ask: Ask) -> list[FleetTarget]:
        key = affinity_key(ask.document, ask.user)
        ranked = rank(
            places,
            lambda place: by_seed[place.seed].standing,
            lambda place: by_seed[place.seed].load(),
            RouteRequest(lambda: key, expected_s, homes),
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


def make_divided(targets: Sequence[FleetTarget], _chance: random.Random, _expected_s: float) -> Policy:
    """No policy but a yardstick: whoever asks is known in advance, and everybody is dealt out evenly."""

    def choose(ask: Ask) -> list[FleetTarget]:
        hot = [target for target in targets if target.standing.state is ModelState.HOT]
        return [hot[int(ask.user.rpartition(" ")[2]) % len(hot)]] if hot else []

    return choose


POLICIES: dict[str, Maker] = {
    SHIPPED: make_shipped,
    FOUR_SHARING: make_four_sharing,
    FOUR_WORKERS: make_four_workers,
    ROUND_ROBIN: make_round_robin,
    RANDOM: make_random,
    LEAST_LOADED: make_least_loaded,
    DIVIDED: make_divided,
}
