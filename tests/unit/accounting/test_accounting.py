"""The running whole: written on the loop, drained by one thread, closed in time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from resource_server.accounting import Accounting, RequestRecord, open_accounting
from tests.unit.accounting.records import record, records
from tests.unit.accounting.stores import MemoryStore


@asynccontextmanager
async def running(
    directory: Path, insert: Callable[[list[RequestRecord]], None], *, close_within_s: float = 5.0
) -> AsyncIterator[Accounting]:
    accounting = await open_accounting(directory, insert, drain_every_s=0.02)
    task = asyncio.create_task(accounting.run())
    try:
        yield accounting
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await accounting.aclose(close_within_s)
        await accounting.aclose()


def segments(directory: Path) -> list[Path]:
    return list(directory.glob("*.jsonl"))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what changes it is another thread
            await asyncio.sleep(0.005)


async def test_record_reaches_the_store_while_running_by_one_thread(tmp_path: Path) -> None:
    store = MemoryStore()
    async with running(tmp_path / "deep" / "spool", store.insert) as accounting:
        for _ in range(3):
            before = len(store.rows)
            accounting.record(record())
            await until(lambda: len(store.rows) > before)  # noqa: B023 - awaited within the turn
        assert not accounting.is_degraded()
    assert store.threads == {"accounting_0"}


async def test_closing_drains_what_was_just_written(tmp_path: Path) -> None:
    store = MemoryStore()
    accounting = await open_accounting(tmp_path, store.insert)
    for one in records(700):
        accounting.record(one)
    await accounting.aclose()
    assert len(store.rows) == 700
    assert segments(tmp_path) == []


async def test_store_that_comes_back_gets_everything(tmp_path: Path) -> None:
    store = MemoryStore()
    store.available = False
    async with running(tmp_path, store.insert) as accounting:
        for one in records(10):
            accounting.record(one)
        await until(accounting.is_degraded)
        assert not store.rows
        store.available = True
        await until(lambda: not accounting.is_degraded())
        assert len(store.rows) == 10


async def test_store_that_is_away_at_shutdown_leaves_the_records_to_the_next_start(tmp_path: Path) -> None:
    store = MemoryStore()
    store.available = False
    async with running(tmp_path, store.insert) as accounting:
        accounting.record(record())
    store.available = True
    await (await open_accounting(tmp_path, store.insert)).aclose()
    assert len(store.rows) == 1


async def test_store_that_hangs_does_not_hold_the_shutdown(tmp_path: Path) -> None:
    def hang(records: list[RequestRecord]) -> None:
        time.sleep(1.0)

    started_at = time.monotonic()
    async with running(tmp_path, hang, close_within_s=0.1) as accounting:
        accounting.record(record())
        await asyncio.sleep(0.1)
    assert time.monotonic() - started_at < 0.9
    assert segments(tmp_path)


async def test_record_after_the_end_is_counted_as_lost(tmp_path: Path) -> None:
    accounting = await open_accounting(tmp_path, MemoryStore().insert)
    await accounting.aclose()
    accounting.record(record())
    assert accounting.lost == 1


async def test_directory_that_cannot_be_made_fails_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        await open_accounting(tmp_path / "file" / "spool", MemoryStore().insert)


async def test_bytes_that_wait_are_known_until_they_are_stored(tmp_path: Path) -> None:
    accounting = await open_accounting(tmp_path, MemoryStore().insert)
    assert await asyncio.to_thread(accounting.waiting_bytes) == 0
    accounting.record(record())
    assert await asyncio.to_thread(accounting.waiting_bytes) > 100
    await accounting.aclose()
    assert await asyncio.to_thread(accounting.waiting_bytes) == 0
