"""Whose turn it is."""

import random
from collections import Counter

import pytest

from resource_server.domain.fair_queue import FairQueue


def drain(queue: FairQueue[int]) -> str:
    """The users in the order of their turns."""
    users = ""
    while (turn := queue.pop()) is not None:
        users += turn.user
    return users


def filled(lines: str, **bounds: int) -> FairQueue[int]:
    queue: FairQueue[int] = FairQueue(**{"most": 100, "most_per_user": 100, **bounds})
    for number, user in enumerate(lines):
        queue.push(user, number)
    return queue


@pytest.mark.parametrize(
    ("pushed", "served"),
    [("", ""), ("a", "a"), ("aaab", "abaa"), ("aabbc", "abcab"), ("abab", "abab"), ("aaaaaaab", "abaaaaaa")],
)
def test_users_take_turns(pushed: str, served: str) -> None:
    assert drain(filled(pushed)) == served


def test_items_of_one_user_keep_their_order() -> None:
    queue = filled("abaab")
    assert [turn.item for _ in range(5) if (turn := queue.pop()) is not None] == [0, 1, 2, 4, 3]


def test_a_user_who_comes_late_waits_for_one_round_only() -> None:
    queue = filled("a" * 50)
    queue.pop()
    queue.push("b", 0)
    assert drain(queue).index("b") == 1


def test_push_refuses_beyond_the_users_line_but_takes_others() -> None:
    queue = filled("aaaa", most_per_user=2)
    assert (len(queue), queue.waiting_of("a")) == (2, 2)
    assert queue.push("b", 0) is not None


def test_push_refuses_beyond_the_whole() -> None:
    queue = filled("abcd", most=3)
    assert len(queue) == 3
    assert queue.push("e", 0) is None
    queue.pop()
    assert queue.push("e", 0) is not None


def test_remove_forgets_an_item_and_an_empty_line() -> None:
    queue = filled("ab")
    ticket = queue.push("c", 9)
    assert ticket is not None
    assert queue.remove(ticket)
    assert not queue.remove(ticket)
    assert queue.waiting_of("c") == 0
    assert drain(queue) == "ab"


def test_a_popped_ticket_cannot_be_removed() -> None:
    queue: FairQueue[str] = FairQueue(2, 2)
    ticket = queue.push("a", "x")
    assert ticket is not None
    queue.pop()
    assert not queue.remove(ticket)


def test_work_is_shared_equally_where_items_differ_in_cost() -> None:
    queue: FairQueue[float] = FairQueue(10_000, 5_000, quantum=1.0)
    for _ in range(2000):
        queue.push("heavy", 1.0, cost=1.0)
        queue.push("light", 0.1, cost=0.1)
    served = Counter[str]()
    for _ in range(1100):
        turn = queue.pop()
        assert turn is not None
        served[turn.user] += round(turn.item * 10)
    assert served["heavy"] == pytest.approx(served["light"], rel=0.05)


def test_what_costs_more_than_a_quantum_counts_as_one() -> None:
    queue: FairQueue[int] = FairQueue(10, 10, quantum=1.0)
    for user in "aab":
        queue.push(user, 0, cost=50.0)
    assert drain(queue) == "aba"


def test_random_use_loses_and_doubles_nothing() -> None:
    chance = random.Random(3)
    queue: FairQueue[int] = FairQueue(50, 10)
    waiting: dict[int, int] = {}
    for number in range(5000):
        action = chance.random()
        if action < 0.5:
            ticket = queue.push(chance.choice("abcdefgh"), number)
            if ticket is not None:
                waiting[number] = ticket
        elif action < 0.6 and waiting:
            assert queue.remove(waiting.pop(chance.choice(list(waiting))))
        elif (turn := queue.pop()) is not None:
            del waiting[turn.item]
        assert len(queue) == len(waiting) <= 50
        assert sum(queue.waiting_of(user) for user in "abcdefgh") == len(waiting)
