"""Among equals: who goes where, over many requests."""

import random
from collections import Counter

from resource_server.domain.affinity import affinity_key
from resource_server.domain.equals import AFFINE, BALANCE, MOVED, Hot, by_affinity, by_two_choices
from resource_server.domain.load import Load
from resource_server.domain.ranking import MOST
from tests.unit.domain.places import place


def fleet(*loads: Load) -> list[Hot]:
    return [(place(f"c{number}"), load) for number, load in enumerate(loads)]


def first(tier: list[Hot], key: int) -> str:
    return next(by_affinity(tier, key, MOST))[0].target.cluster


def keys(count: int) -> list[int]:
    return [int.from_bytes(affinity_key({"user": f"user {number}"}) or b"") for number in range(count)]


def test_affinity_spreads_keys_evenly() -> None:
    tier = fleet(*[Load(5, 10)] * 8)
    counts = Counter(first(tier, key) for key in keys(8000))
    assert len(counts) == 8
    assert max(counts.values()) < 1150
    assert min(counts.values()) > 850


def test_affinity_moves_only_the_keys_of_a_place_that_left() -> None:
    tier = fleet(*[Load(5, 10)] * 8)
    before = {key: first(tier, key) for key in keys(1000)}
    left = tier.pop(3)[0].target.cluster
    assert all(first(tier, key) == was for key, was in before.items() if was != left)


def test_affinity_does_not_depend_on_the_operators_order() -> None:
    tier = fleet(*[Load(5, 10)] * 5)
    for key in keys(50):
        assert first(tier, key) == first(tier[::-1], key)


def test_affinity_gives_way_where_the_place_is_busy() -> None:
    (key,) = keys(1)
    idle = fleet(*[Load(50, 100)] * 4)
    best, second = [one.target.cluster for one, _ in by_affinity(idle, key, MOST)][:2]
    busy = [(one, Load(80, 100)) if one.target.cluster == best else (one, load) for one, load in idle]
    ordered = list(by_affinity(busy, key, MOST))
    assert (ordered[0][0].target.cluster, ordered[0][1]) == (second, MOVED)
    assert (ordered[-1][0].target.cluster, ordered[-1][1]) == (best, AFFINE)


def test_affinity_gives_way_where_the_place_is_slow() -> None:
    (key,) = keys(1)
    quick = fleet(*[Load(50, 100, 0.5)] * 4)
    best = first(quick, key)
    slow = [(one, Load(50, 100, 9.0)) if one.target.cluster == best else (one, load) for one, load in quick]
    assert first(slow, key) != best


def test_affinity_holds_while_little_is_going_on() -> None:
    (key,) = keys(1)
    tier = fleet(*[Load(0, 100)] * 4)
    best = first(tier, key)
    tier = [(one, Load(5, 100)) if one.target.cluster == best else (one, load) for one, load in tier]
    assert first(tier, key) == best


def test_affinity_of_one_key_for_everybody_keeps_the_load_bounded() -> None:
    (key,) = keys(1)
    places = [one for one, _ in fleet(*[Load(0, 1)] * 10)]
    in_flight = Counter[str]()
    for _ in range(1000):
        in_flight[first([(one, Load(in_flight[one.target.cluster], 1000)) for one in places], key)] += 1
    assert max(in_flight.values()) <= max(125, BALANCE * 1000 / 10 + 2)


def test_two_choices_spread_requests_that_stay() -> None:
    chance = random.Random(7)
    places = [one for one, _ in fleet(*[Load(0, 1)] * 10)]
    in_flight = Counter[str]()
    for _ in range(1000):
        tier = [(one, Load(in_flight[one.target.cluster], 1000)) for one in places]
        in_flight[next(by_two_choices(tier, MOST, chance))[0].target.cluster] += 1
    assert max(in_flight.values()) - min(in_flight.values()) <= 8  # 40 or so where one place is drawn


def test_two_choices_do_not_send_everybody_to_the_best() -> None:
    """Workers that see the same loads, late: a quarter goes to the best of eight, not all."""
    chance = random.Random(7)
    tier = fleet(*[Load(number, 100) for number in range(8)])
    counts = Counter(next(by_two_choices(tier, MOST, chance))[0].target.cluster for _ in range(4000))
    assert 850 < counts["c0"] < 1150
    assert counts["c7"] == 0


def test_two_choices_name_every_place_once() -> None:
    for size in (1, 2, 3, 7, 8):
        named = [
            one.target.cluster for one, _ in by_two_choices(fleet(*[Load(0, 9)] * size), MOST, random.Random(size))
        ]
        assert sorted(named) == [f"c{number}" for number in range(size)]
