from resource_server.state.memory import (
    MemoryKeyValue,
    MemoryLeases,
    MemoryMailboxes,
    MemoryPacer,
)


class Clock:
    """Monotonic seconds that move when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_key_value_keeps_a_value_until_it_ends() -> None:
    clock = Clock()
    store = MemoryKeyValue(clock=clock)
    await store.set("token", b"alice", 30)
    clock.now += 29.9
    assert await store.get("token") == b"alice"
    clock.now += 0.1
    assert await store.get("token") is None


async def test_key_value_forgets_what_is_deleted() -> None:
    store = MemoryKeyValue()
    await store.set("token", b"alice", 30)
    await store.delete("token")
    await store.delete("never there")
    assert await store.get("token") is None


async def test_key_value_full_of_entries_drops_the_least_recently_used() -> None:
    store = MemoryKeyValue(max_entries=2)
    await store.set("a", b"1", 30)
    await store.set("b", b"2", 30)
    await store.get("a")
    await store.set("c", b"3", 30)
    assert [await store.get(key) for key in "abc"] == [b"1", None, b"3"]


async def test_key_value_full_of_bytes_drops_the_oldest_and_never_grows_beyond() -> None:
    store = MemoryKeyValue(max_bytes=10)
    await store.set("a", b"12345678", 30)
    await store.set("a", b"1234567", 30)
    await store.set("b", b"123", 30)
    assert await store.get("a") == b"1234567"
    await store.set("c", b"1", 30)
    assert await store.get("b") is None
    await store.set("d", b"x" * 11, 30)
    assert await store.get("d") is None


async def test_lease_is_one_owners_until_it_ends_or_is_released() -> None:
    clock = Clock()
    leases = MemoryLeases(clock=clock)
    assert await leases.acquire("poller", "one", 10)
    assert not await leases.acquire("poller", "two", 10)
    clock.now += 6
    assert await leases.acquire("poller", "one", 10)
    clock.now += 6
    await leases.release("poller", "two")
    assert not await leases.acquire("poller", "two", 10)
    await leases.release("poller", "one")
    assert await leases.acquire("poller", "two", 10)
    clock.now += 10
    assert await leases.acquire("poller", "one", 10)


async def test_pacer_spaces_turns_evenly() -> None:
    clock = Clock()
    pacer = MemoryPacer(clock=clock)
    assert [await pacer.reserve("client", 0.5) for _ in range(3)] == [0.0, 0.5, 1.0]
    clock.now += 1.0
    assert await pacer.reserve("client", 0.5) == 0.5
    assert await pacer.reserve("another", 0.5) == 0.0


async def test_pacer_gives_a_burst_after_idleness_and_the_rate_after_it() -> None:
    clock = Clock()
    pacer = MemoryPacer(clock=clock)
    assert [await pacer.reserve("client", 1.0, 3) for _ in range(5)] == [0.0, 0.0, 0.0, 1.0, 2.0]
    clock.now += 60
    assert [await pacer.reserve("client", 1.0, 3) for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]


async def test_mailbox_hands_over_in_order_and_once() -> None:
    mailboxes = MemoryMailboxes()
    for message in (b"1", b"2", b"3"):
        assert await mailboxes.send("worker", message, 10)
    assert await mailboxes.receive("worker", 1) == [b"1", b"2", b"3"]
    assert await mailboxes.receive("worker", 0.01) == []


async def test_mailbox_full_loses_the_oldest() -> None:
    mailboxes = MemoryMailboxes()
    for message in (b"1", b"2", b"3"):
        await mailboxes.send("worker", message, 2)
    assert await mailboxes.receive("worker", 1) == [b"2", b"3"]
