import asyncio

import pytest

from resource_server.identity.single_flight import SingleFlight


class Counted:
    """A call that waits at a gate and counts itself."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.calls = 0
        self.gate = asyncio.Event()
        self.failure = failure

    async def __call__(self) -> int:
        self.calls += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self.calls


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_first_waiter_leaving_takes_nobody_along() -> None:
    flight: SingleFlight[int] = SingleFlight()
    call = Counted()
    first, second = (asyncio.create_task(flight.run("key", call)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    assert first.cancelled()
    call.gate.set()
    assert await second == 1


async def test_call_goes_on_for_who_comes_after_the_first_has_left() -> None:
    flight: SingleFlight[int] = SingleFlight()
    call = Counted()
    first = asyncio.create_task(flight.run("key", call))
    await settle()
    first.cancel()
    await settle()
    late = asyncio.create_task(flight.run("key", call))
    call.gate.set()
    assert await late == 1


async def test_failure_reaches_every_waiter_and_is_forgotten() -> None:
    flight: SingleFlight[int] = SingleFlight()
    call = Counted(ValueError("no"))
    call.gate.set()
    results = await asyncio.gather(*(flight.run("key", call) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3
    assert call.calls == 1
    call.failure = None
    assert await flight.run("key", call) == 2


async def test_other_keys_do_not_wait() -> None:
    flight: SingleFlight[int] = SingleFlight()
    slow, quick = Counted(), Counted()
    waiting = asyncio.create_task(flight.run("slow", slow))
    quick.gate.set()
    assert await flight.run("quick", quick) == 1
    waiting.cancel()
    await flight.aclose()


async def test_close_cancels_what_is_under_way() -> None:
    flight: SingleFlight[int] = SingleFlight()
    waiter = asyncio.create_task(flight.run("key", Counted()))
    await settle()
    await flight.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiter
