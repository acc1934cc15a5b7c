"""Among equals: who goes where, over many requests."""

import random
from collections import Counter

from resource_server.domain.affinity import affinity_key
from resource_server.domain.equals import AFFINE, BALANCE, HOMES, MOVED, NEW, Hot, by_affinity, by_two_choices
from resource_server.domain.load import Load
from resource_server.domain.ranking import MOST
from tests.unit.domain.places import place


def fleet(*loads: Load) -> list[Hot]:
    return [(place(f"c{number}"), load) for number, load in enumerate(loads)]


def first(tier: list[Hot], key: int) -> str:
    return next(by_affinity(tier, key, None, MOST))[0].target.cluster


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


def test_affinity_keeps_to_the_home_although_others_suit_better_and_are_idle() -> None:
    (key,) = keys(1)
    tier = fleet(*[Load(50, 100)] * 6)
    for place_of_home, _ in tier:
        loads = [(one, Load(55, 100) if one is place_of_home else load) for one, load in tier]
        ordered = list(by_affinity(loads, key, place_of_home.seed, MOST))
        assert (ordered[0][0], ordered[0][1]) == (place_of_home, AFFINE)
        assert len({one.seed for one, _ in ordered}) == 6


def test_affinity_finds_a_home_that_is_not_among_those_that_suit_best() -> None:
    (key,) = keys(1)
    tier = fleet(*[Load(50, 100)] * 40)
    worst = list(by_affinity(tier, key, None, 40))[-1][0]
    ordered = list(by_affinity(tier, key, worst.seed, MOST))
    assert ordered[0] == (worst, AFFINE)


def test_affinity_gives_way_where_the_home_is_busy() -> None:
    (key,) = keys(1)
    tier = fleet(*[Load(50, 100)] * 4)
    home = tier[2][0]
    busy = [(one, Load(95, 100) if one is home else load) for one, load in tier]
    ordered = list(by_affinity(busy, key, home.seed, MOST))
    assert ordered[0][0] is not home
    assert ordered[0][1] == MOVED
    assert ordered[-1][0] is home


def test_a_new_key_goes_to_the_least_busy_of_a_few_that_suit_it() -> None:
    chance = random.Random(5)
    tier = fleet(*[Load(chance.randrange(50, 60), 100) for _ in range(20)])
    for key in keys(50):
        suited = [one for one, _ in by_affinity([(one, Load(50, 100)) for one, _ in tier], key, None, HOMES)]
        least = min((load.cost, one.seed) for one, load in tier if one in suited)
        chosen = next(by_affinity(tier, key, None, MOST))
        assert chosen[1] == NEW
        assert {one.seed: load.cost for one, load in tier}[chosen[0].seed] == least[0]


def test_affinity_gives_way_where_the_place_is_slow() -> None:
    (key,) = keys(1)
    quick = fleet(*[Load(50, 100, 0.5)] * 4)
    best = first(quick, key)
    slow = [(one, Load(50, 100, 9.0)) if one.target.cluster == best else (one, load) for one, load in quick]
    assert first(slow, key) != best


def test_a_home_is_kept_while_little_is_going_on() -> None:
    (key,) = keys(1)
    tier = fleet(*[Load(0, 100)] * 4)
    for home, _ in tier:
        loads = [(one, Load(5 if one is home else 0, 100)) for one, _ in tier]
        assert next(by_affinity(loads, key, home.seed, MOST)) == (home, AFFINE)


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
