"""The order among hot targets of one kind: by affinity where the request has a key, else by two choices."""

import random
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TypeAlias

from resource_server.domain.affinity import heaviest
from resource_server.domain.catalogue import Place
from resource_server.domain.load import Load

Hot: TypeAlias = tuple[Place, Load]
Chosen: TypeAlias = tuple[Place, str]

BALANCE = 1.25
"""A target is busy for its affine requests above so many times the mean: consistent hashing with bounded loads
(Mirrokni, Thorup and Zadimoghaddam, 2018)."""
IDLE = 0.125
"""Below this share of its capacity a target is never busy, however idle the others are."""
SLOWER, SLOWER_BY_S = 4.0, 1.0
"""A target is slow for its affine requests if its answers begin so much later than the fastest's."""

AFFINE = "holds what this request begins with"
MOVED = "the target that holds its beginning is busy"
LESS_BUSY = "less busy than another"


def by_affinity(tier: Sequence[Hot], key: int, most: int) -> Iterator[Chosen]:
    """The `most` places that suit the key best, in that order; the busy and the slow ones give way."""
    if not tier:
        return
    suited = [tier[position] for position in heaviest([place.seed for place, _ in tier], key, most)]
    busy = _find_bound(tier)
    slow_s = _find_slow_s(suited)
    kept: list[Hot] = []
    given_way: list[Hot] = []
    for hot in suited:
        latency_s = hot[1].latency_s
        over = hot[1].cost > busy or (latency_s is not None and latency_s > slow_s)
        (given_way if over else kept).append(hot)
    given_way.sort(key=lambda hot: hot[1].cost)
    for place, _ in (*kept, *given_way):
        yield place, AFFINE if place is suited[0][0] else MOVED


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
