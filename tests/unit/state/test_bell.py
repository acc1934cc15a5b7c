import asyncio
import time

import pytest

from resource_server.state.background import Background
from resource_server.state.bell import Bell
from resource_server.state.memory import MemoryMailboxes


async def test_ring_wakes_all_who_wait_even_when_one_was_cancelled() -> None:
    bell = Bell()
    waiters = [asyncio.create_task(bell.wait(10)) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    await asyncio.sleep(0)
    bell.ring()
    await asyncio.wait_for(asyncio.gather(*waiters[1:]), 1)
    assert waiters[0].cancelled()


async def test_wait_ends_without_a_ring() -> None:
    bell, started_at = Bell(), time.monotonic()
    await bell.wait(0.02)
    assert time.monotonic() - started_at >= 0.015
    assert len(bell) == 0


async def test_mailbox_wakes_its_reader() -> None:
    mailboxes = MemoryMailboxes()
    reader = asyncio.create_task(mailboxes.receive("worker", 10))
    await asyncio.sleep(0)
    await mailboxes.send("worker", b"hello", 10)
    assert await asyncio.wait_for(reader, 1) == [b"hello"]


async def test_background_cancels_and_awaits_its_tasks() -> None:
    background = Background()
    cleaned: list[bool] = []

    async def serve() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    background.start("serve", serve())
    await asyncio.sleep(0)
    await background.aclose()
    assert cleaned == [True]
    assert len(background) == 0


async def test_background_logs_a_task_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    background = Background()

    async def fail() -> None:
        raise ValueError("broken")

    background.start("poll status", fail())
    await asyncio.sleep(0.01)
    await background.aclose()
    assert "background task failed: poll status" in caplog.text
