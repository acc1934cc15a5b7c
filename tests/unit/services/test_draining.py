"""The drain of one process: who is under way, who is told, and who is not."""

import asyncio

import pytest

from resource_server.domain.errors import Overloaded
from resource_server.services.draining import Draining


async def test_wait_returns_when_the_last_request_has_ended() -> None:
    draining, release = Draining(60), asyncio.Event()

    async def serve() -> None:
        with draining.request():
            await release.wait()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(serve())
        group.create_task(serve())
        await asyncio.sleep(0)
        assert draining.under_way == 2
        waiting = group.create_task(draining.wait(60))
        await asyncio.sleep(0)
        release.set()
        await waiting
    assert draining.under_way == 0
    await draining.wait(60)  # nobody is there: it does not wait


async def test_end_makes_every_request_an_overload() -> None:
    draining = Draining(0)
    draining.begin()

    async def serve() -> None:
        with draining.request():
            await asyncio.sleep(60)

    served = [asyncio.create_task(serve()) for _ in range(3)]
    await asyncio.sleep(0)
    assert draining.left_s == 0
    draining.end()
    results = await asyncio.gather(*served, return_exceptions=True)
    assert [type(result) for result in results] == [Overloaded] * 3
    assert all(task.cancelling() == 0 for task in served)


async def test_cancellation_by_somebody_else_stays_one() -> None:
    draining = Draining(60)

    async def serve() -> None:
        with draining.request():
            await asyncio.sleep(60)

    task = asyncio.create_task(serve())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert draining.under_way == 0


async def test_client_that_leaves_as_the_time_ends_is_not_told() -> None:
    draining = Draining(0)

    async def serve() -> None:
        with draining.request():
            await asyncio.sleep(60)

    task = asyncio.create_task(serve())
    await asyncio.sleep(0)
    task.cancel()  # the watch of the client's leaving
    draining.end()
    with pytest.raises(asyncio.CancelledError):
        await task
