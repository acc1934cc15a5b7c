"""Who may enter a target, and in which order."""

import asyncio

import pytest

from resource_server.services.gate import LEAST_LINE, USERS, Gate, GateFull

LONG_S = 30.0


async def settle() -> None:
    """Let tasks that were woken go on to their next wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def queue_up(gate: Gate, *users: str) -> list[asyncio.Task[bool]]:
    tasks = []
    for user in users:
        tasks.append(asyncio.create_task(gate.join(user).has_come(LONG_S), name=user))
        await asyncio.sleep(0)
    return tasks


async def names_let_in(gate: Gate, tasks: list[asyncio.Task[bool]]) -> list[str]:
    """The order in which they come in when one at a time leaves."""
    order: list[str] = []
    while len(order) < len(tasks):
        gate.leave()
        await settle()
        order += [task.get_name() for task in tasks if task.done() and task.get_name() not in order]
    return order


async def test_room_is_taken_at_once_and_no_more_than_there_is() -> None:
    gate = Gate(2)
    assert [gate.try_enter() for _ in range(3)] == [True, True, False]
    gate.leave()
    assert gate.try_enter()


async def test_users_take_turns_however_much_one_of_them_asks() -> None:
    gate = Gate(1)
    assert gate.try_enter()
    tasks = [
        *await queue_up(gate, "alice", "alice", "alice"),
        *await queue_up(gate, "bob"),
    ]
    for task, name in zip(tasks, ("a1", "a2", "a3", "b1"), strict=True):
        task.set_name(name)
    assert await names_let_in(gate, tasks) == ["a1", "b1", "a2", "a3"]
    assert gate.inside == 1


async def test_nobody_passes_those_who_queue() -> None:
    gate = Gate(1)
    assert gate.try_enter()
    [first] = await queue_up(gate, "alice")
    gate.leave()
    assert not gate.try_enter()
    await first
    assert gate.inside == 1


async def test_wait_that_is_given_up_leaves_no_trace() -> None:
    gate = Gate(1)
    assert gate.try_enter()
    waiter = gate.join("alice")
    assert not await waiter.has_come(0.01)
    assert gate.waiting == 1
    waiter.abandon()
    assert (gate.waiting, gate.inside) == (0, 1)


async def test_place_that_comes_while_nobody_looks_is_given_back() -> None:
    gate = Gate(1)
    assert gate.try_enter()
    waiter = gate.join("alice")
    gate.leave()
    waiter.abandon()
    assert gate.try_enter()


async def test_place_that_comes_with_a_cancellation_is_given_back() -> None:
    gate = Gate(1)
    assert gate.try_enter()
    [task] = await queue_up(gate, "alice")
    gate.leave()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.inside == 0
    assert gate.try_enter()


async def test_queue_is_bounded_for_a_user_and_in_all() -> None:
    gate = Gate(1)
    gate.close()
    tasks = await queue_up(gate, *["alice"] * LEAST_LINE)
    with pytest.raises(GateFull):
        gate.join("alice")
    tasks += await queue_up(gate, *[f"user {n}" for n in range((USERS - 1) * LEAST_LINE)])
    with pytest.raises(GateFull):
        gate.join("bob")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert gate.waiting == 0


async def test_closed_gate_keeps_everybody_and_opens_for_as_many_as_fit() -> None:
    gate = Gate(2)
    gate.close()
    tasks = await queue_up(gate, "alice", "bob", "charlie")
    gate.open()
    await settle()
    assert [task.done() for task in tasks] == [True, True, False]
    gate.leave()
    await tasks[2]


async def test_turned_away_all_hear_why() -> None:
    gate = Gate(1)
    gate.close()
    tasks = await queue_up(gate, "alice", "bob")
    gate.turn_away(lambda: ValueError("no"))
    assert [str(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == ["no", "no"]
    assert (gate.waiting, gate.inside) == (0, 0)


async def test_position_counts_turns_not_arrivals() -> None:
    gate = Gate(1)
    gate.close()
    waiters = [gate.join(user) for user in ("alice", "alice", "alice", "bob", "charlie")]
    assert [waiter.position for waiter in waiters] == [1, 4, 5, 2, 3]
    waiters[0].abandon()
    assert [waiter.position for waiter in waiters] == [0, 1, 4, 2, 3]


async def test_position_is_the_turn_that_comes() -> None:
    gate = Gate(1)
    assert gate.try_enter()
    waiters = {number: gate.join(user) for number, user in enumerate("aabcabbca")}
    expected = sorted(waiters, key=lambda number: waiters[number].position)
    tasks = {number: asyncio.create_task(waiter.has_come(LONG_S)) for number, waiter in waiters.items()}
    seen: list[int] = []
    await asyncio.sleep(0)
    for _ in waiters:
        gate.leave()
        await settle()
        seen += [number for number, task in tasks.items() if task.done() and number not in seen]
    assert seen == expected
