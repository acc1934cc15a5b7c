import asyncio

import pytest

from resource_server.state.patience import Patience


async def test_patience_ends_a_wait_that_is_too_long() -> None:
    patience = Patience()

    with pytest.raises(TimeoutError), patience.limit(0.01):
        await asyncio.sleep(5)


async def test_patience_is_as_long_for_each_wait_in_a_row() -> None:
    patience = Patience()

    for _ in range(4):  # together longer than the limit of one
        with patience.limit(1):
            await asyncio.sleep(0.3)
    with pytest.raises(TimeoutError), patience.limit(0.02):
        await asyncio.sleep(5)
    with patience.limit(1):
        await asyncio.sleep(0)


async def test_patience_with_a_shorter_wait_than_before_ends_in_time() -> None:
    patience = Patience()
    with patience.limit(60):
        await asyncio.sleep(0)

    async with asyncio.timeout(2):
        with pytest.raises(TimeoutError), patience.limit(0.01):
            await asyncio.sleep(60)


async def test_patience_does_not_ring_between_waits() -> None:
    patience = Patience()
    with patience.limit(0.01):
        await asyncio.sleep(0)

    await asyncio.sleep(0.05)


async def test_patience_lets_a_cancellation_from_elsewhere_through() -> None:
    async def wait() -> None:
        with Patience().limit(60):
            await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_patience_leaves_an_outer_timeout_its_own_outcome() -> None:
    outer = asyncio.timeout(0.01)

    with pytest.raises(TimeoutError):
        await _wait_within(outer)

    assert outer.expired()


async def _wait_within(outer: asyncio.Timeout) -> None:
    async with outer:
        with Patience().limit(60):
            await asyncio.sleep(60)


async def test_close_drops_the_timer() -> None:
    patience = Patience()
    with patience.limit(0.01):
        await asyncio.sleep(0)

    patience.close()
    patience.close()

    await asyncio.sleep(0.03)
