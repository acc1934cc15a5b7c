"""The order among hot targets of one kind: by affinity where the request has a key, else by two choices."""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import TypeAlias

from resource_server.domain.affinity import heaviest
from resource_server.domain.catalogue import Place
from resource_server.domain.load import Load

Hot: TypeAlias = tuple[Place, Load]
Chosen: TypeAlias = tuple[Place, str]

BALANCE = 1.5
"""A target is busy for its affine requests above so many times the mean: consistent hashing with bounded loads
(Mirrokni, Thorup and Zadimoghaddam, 2018)."""
IDLE = 0.125
"""Below this share of its capacity a target is never busy, however idle the others are."""
SLOWER, SLOWER_BY_S = 4.0, 1.0
"""A target is slow for its affine requests if its answers begin so much later than the fastest's."""

HOMES = 4
"""Among so many places a new key finds its home; workers that know nothing of each other spread it over no more."""

NEW = "holds what such a request begins with, or will"
AFFINE = "holds what this request begins with"
MOVED = "the target that holds its beginning is busy"
LESS_BUSY = "less busy than another"


def by_affinity(tier: Sequence[Hot], key: int, home: int | None, most: int) -> Iterator[Chosen]:
    """The `most` places that suit the key best; first `home`, the seed of the place that knows it, unless it is busy.

    A key without a home goes to the least busy of the `HOMES` places that suit it best: keys are few and differ in what
    they ask for, and by its weight alone one place would have half as many again as others.
    """
    if not tier:
        return
    suited = [tier[position] for position in heaviest([place.seed for place, _ in tier], key, most)]
    busy, slow_s = _find_bound(tier), _find_slow_s(suited)

    def gives_way(hot: Hot) -> bool:
        latency_s = hot[1].latency_s
        return hot[1].cost > busy or (latency_s is not None and latency_s > slow_s)

    at_home = [hot for hot in tier if hot[0].seed == home] if home is not None else []
    if at_home and not gives_way(at_home[0]):
        yield at_home[0][0], AFFINE
        suited = [hot for hot in suited if hot[0].seed != home]
    for place, _ in _least_busy_first(suited, gives_way):
        yield place, MOVED if at_home else NEW


def _least_busy_first(suited: list[Hot], gives_way: Callable[[Hot], bool]) -> list[Hot]:
    """By weight, those that give way last; but first the least busy of the first few."""
    ordered = sorted(suited, key=gives_way)  # False before True
    free = len(ordered) - sum(map(gives_way, ordered))
    if ordered:
        first = min(ordered[: min(HOMES, free) or len(ordered)], key=_cost)
        ordered = [first, *(hot for hot in ordered if hot is not first)]
    return ordered


def _cost(hot: Hot) -> float:
    return hot[1].cost


def _find_bound(tier: Sequence[Hot]) -> float:
    """The cost above which a target is busy."""
    in_flight = capacity = 0
    for _, load in tier:
        in_flight += load.in_flight
        capacity += load.capacity
    return max(IDLE, BALANCE * (in_flight + len(tier)) / capacity)


def _find_slow_s(tier: Sequence[Hot]) -> float:
    known = [load.latency_s for _, load in tier if load.latency_s is not None]
    return SLOWER * min(known) + SLOWER_BY_S if known else 0.0


def by_two_choices(tier: Sequence[Hot], most: int, chance: random.Random) -> Iterator[Chosen]:
    """Of each two places drawn at random the better one, then the others (Mitzenmacher, 2001).

    The best of all would be everybody's choice at once, for workers hear of each other's choices late.
    """
    if len(tier) == 1:
        yield tier[0][0], LESS_BUSY
        return
    drawn = chance.sample(range(len(tier)), min(len(tier), 2 * most))
    others: list[int] = []
    for one, two in zip_longest(drawn[::2], drawn[1::2]):
        better = one if two is None else _better(tier, *sorted((one, two)))
        yield tier[better][0], LESS_BUSY
        if two is not None:
            others.append(one + two - better)
    for position in others:
        yield tier[position][0], LESS_BUSY


def _better(tier: Sequence[Hot], first: int, second: int) -> int:
    """The one with the shorter wait in sight: the share that is taken, times the latency where both are known."""
    one, two = tier[first][1], tier[second][1]
    cost, other = one.cost, two.cost
    if one.latency_s is not None and two.latency_s is not None:
        cost, other = cost * one.latency_s, other * two.latency_s
    return second if other < cost else first
