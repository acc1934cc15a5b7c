"""Which places are tried, and in which order."""

import random
from typing import Any

import pytest

from resource_server.domain.homes import Homes
from resource_server.domain.load import Load
from resource_server.domain.ranking import ANY_REQUEST, MOST, Candidate, RouteRequest, rank
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from tests.unit.domain.places import names, place

HOT, STARTING, QUEUED, COLD = ModelState.HOT, ModelState.STARTING, ModelState.QUEUED, ModelState.COLD
OFFLINE, MAINTENANCE = ModelState.OFFLINE, ModelState.MAINTENANCE
IDLE = Load(0, 10)
FULL = Load(10, 10)


def order(
    targets: dict[str, tuple[Standing, Load]], request: RouteRequest = ANY_REQUEST, **options: Any
) -> list[Candidate]:
    places = [place(name) for name in targets]
    return rank(
        places,
        lambda one: targets[one.target.cluster][0],
        lambda one: targets[one.target.cluster][1],
        request,
        chance=random.Random(1),
        **options,
    )


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ((Standing(HOT), IDLE), (Standing(HOT), FULL)),
        ((Standing(HOT), IDLE), (Standing(HOT, walltime_left_s=59), IDLE)),
        ((Standing(HOT, walltime_left_s=59), IDLE), (Standing(HOT), FULL)),
        ((Standing(HOT, walltime_left_s=60), IDLE), (Standing(HOT, walltime_left_s=59), IDLE)),
        ((Standing(HOT), FULL), (Standing(STARTING, eta_s=1), IDLE)),
        ((Standing(STARTING, eta_s=300), IDLE), (Standing(QUEUED, eta_s=10), IDLE)),
        ((Standing(STARTING, eta_s=10), IDLE), (Standing(STARTING, eta_s=20), IDLE)),
        ((Standing(STARTING, eta_s=10), IDLE), (Standing(STARTING), IDLE)),
        ((Standing(QUEUED, eta_s=10), IDLE), (Standing(QUEUED, eta_s=20), IDLE)),
        ((Standing(QUEUED), IDLE), (Standing(COLD, free_nodes=9), IDLE)),
        ((Standing(COLD, free_nodes=1), IDLE), (Standing(COLD, free_nodes=0), IDLE)),
        ((Standing(COLD, free_nodes=1), IDLE), (Standing(COLD), IDLE)),
        ((Standing(HOT), Load(1, 10)), (Standing(HOT), Load(2, 10))),
        ((Standing(HOT), Load(3, 100)), (Standing(HOT), Load(2, 10))),
        ((Standing(HOT), Load(2, 10, 0.5)), (Standing(HOT), Load(2, 10, 0.9))),
        ((Standing(HOT), Load(9, 100, 9.0)), (Standing(HOT), Load(2, 10))),
        ((Standing(HOT), Load(11, 10)), (Standing(HOT), Load(12, 10))),
    ],
)
def test_rank_puts_the_better_place_first_wherever_it_stands(
    better: tuple[Standing, Load], worse: tuple[Standing, Load]
) -> None:
    request = RouteRequest(expected_s=60)
    assert names(order({"b": better, "w": worse}, request)) == "bw"
    assert names(order({"w": worse, "b": better}, request)) == "bw"


@pytest.mark.parametrize("state", [HOT, STARTING, QUEUED, COLD])
def test_rank_of_equals_keeps_the_operators_order(state: ModelState) -> None:
    equal = (Standing(state), IDLE)
    assert names(order({"b": equal, "a": equal})) == "ba"


def test_rank_leaves_out_offline_and_maintenance() -> None:
    standings = {"a": Standing(OFFLINE), "c": Standing(HOT), "d": Standing(MAINTENANCE)}
    places = [place("a"), place("c"), place("d")]
    ranked = rank(places, lambda one: standings[one.target.cluster], lambda _: IDLE, last_resort=True)
    assert names(ranked) == "c"


def test_rank_takes_what_is_hopeless_only_where_the_operator_allows_it() -> None:
    targets = {"a": (Standing(MAINTENANCE), IDLE), "b": (Standing(OFFLINE), IDLE)}
    assert order(targets) == []
    ranked = order(targets, last_resort=True)
    assert [(names([one]), one.state) for one in ranked] == [("b", OFFLINE), ("a", MAINTENANCE)]


def test_rank_gives_no_more_candidates_than_are_worth_trying() -> None:
    for state in (HOT, STARTING, COLD, OFFLINE):
        ranked = order({f"t{number}": (Standing(state), IDLE) for number in range(30)}, last_resort=True)
        assert len(ranked) == MOST
        assert len({names([one]) for one in ranked}) == MOST


def test_rank_fills_up_from_the_next_kind() -> None:
    targets = {"q": (Standing(QUEUED), IDLE), "h": (Standing(HOT), IDLE), "c": (Standing(COLD), IDLE)}
    assert names(order(targets)) == "hqc"


def test_rank_looks_for_an_affinity_key_only_where_hot_places_compete() -> None:
    asked: list[int] = []

    def find() -> bytes | None:
        asked.append(1)
        return None

    request = RouteRequest(find)
    order({"a": (Standing(HOT), IDLE)}, request)
    order({"a": (Standing(HOT), IDLE), "b": (Standing(COLD), IDLE)}, request)
    order({"a": (Standing(COLD), IDLE), "b": (Standing(COLD), IDLE)}, request)
    assert not asked
    order({"a": (Standing(HOT), IDLE), "b": (Standing(HOT), FULL), "c": (Standing(HOT), FULL)}, request)
    assert len(asked) == 1


def test_a_key_settles_once_and_its_home_is_kept_while_it_is_hot() -> None:
    homes = Homes()
    request = RouteRequest(lambda: b"12345678", None, homes)
    hot = {name: (Standing(HOT), Load(5, 10)) for name in "abcd"}
    first = order(hot, request)[0]
    assert first.settles
    homes.note(b"12345678", first.place.seed)
    home = first.place.target.cluster
    again = order(hot, request)[0]
    assert (names([again]), again.settles) == (home, False)
    spilled = order({**hot, home: (Standing(HOT), FULL)}, request)[0]
    assert names([spilled]) != home
    assert not spilled.settles  # a moment's crowd moves nobody's home
    gone = order({**hot, home: (Standing(QUEUED), IDLE)}, request)[0]
    assert gone.settles


def test_nothing_settles_without_a_key() -> None:
    assert not order({name: (Standing(HOT), IDLE) for name in "ab"}, RouteRequest(homes=Homes()))[0].settles


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        ({"a": (Standing(HOT), Load(3, 10))}, "hot; the only target"),
        ({"a": (Standing(HOT), IDLE), "b": (Standing(COLD), IDLE)}, "hot; the only hot target"),
        ({"a": (Standing(HOT), FULL), "b": (Standing(HOT), FULL)}, "hot; less busy than another, full"),
        ({"a": (Standing(STARTING, eta_s=12.4), IDLE)}, "starting, in about 12 s; no target is hot with room"),
        ({"a": (Standing(QUEUED), IDLE)}, "queued; no target is hot with room"),
        ({"a": (Standing(COLD, free_nodes=2), IDLE)}, "cold; its cluster has free nodes"),
    ],
)
def test_reason_says_why_the_first_was_chosen(targets: dict[str, tuple[Standing, Load]], reason: str) -> None:
    assert order(targets)[0].reason == reason
