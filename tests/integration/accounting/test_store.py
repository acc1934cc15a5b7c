"""Records in the real database, through the whole of accounting."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from django.db import connection, connections

from resource_server.accounting import open_accounting
from resource_server.accounting.drain import RecordRefused, StoreUnavailable
from resource_server.accounting.store import insert_records
from resource_server.models import RequestLog
from tests.unit.accounting.records import record, records

pytestmark = pytest.mark.django_db(transaction=True)


def test_row_says_what_the_record_says() -> None:
    insert_records([record(request_id="req-a", prompt_tokens=None, cancelled=True)])
    row = RequestLog.objects.get(request_id="req-a")
    assert row.received_at == dt.datetime(2025, 11, 23, 3, 53, 20, 250_000, dt.UTC)
    assert (row.username, row.operation, row.status, row.stream) == ("alice@anl.gov", "chat/completions", 200, True)
    assert (row.prompt_tokens, row.completion_tokens, row.cancelled) == (None, 2, True)


def test_second_insert_of_a_record_changes_nothing() -> None:
    first = records(3)
    insert_records(first)
    insert_records([*first, record()])
    assert RequestLog.objects.count() == 4


def test_values_from_afar_are_made_to_fit() -> None:
    insert_records([record(request_id="req-b", username="a\0" * 1000, completion_tokens=2**64 - 1)])
    row = RequestLog.objects.get(request_id="req-b")
    assert row.username == "a" * 300
    assert row.completion_tokens == 2**63 - 1


def test_record_that_cannot_be_held_is_refused_and_its_batch_untouched() -> None:
    with pytest.raises(RecordRefused):
        insert_records([record(), record(duration_ms="soon")])
    assert RequestLog.objects.count() == 0


def test_missing_table_is_an_unavailable_store() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE resource_server_requestlog RENAME TO elsewhere")
    try:
        with pytest.raises(StoreUnavailable):
            insert_records([record()])
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO resource_server_requestlog")


async def test_accounting_stores_each_record_once_though_two_processes_drain(tmp_path: Path) -> None:
    one, other = await open_accounting(tmp_path), await open_accounting(tmp_path)
    for accounting in (one, other):
        for each in records(600):
            accounting.record(each)
    await one.aclose()
    await other.aclose()
    assert await asyncio.to_thread(count_rows) == 1200


async def test_database_that_was_down_gets_the_records_when_it_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounting = await open_accounting(tmp_path, drain_every_s=0.02)
    running = asyncio.create_task(accounting.run())
    async with asyncio.timeout(20):
        with monkeypatch.context() as down:
            down.setitem(connections.settings["default"], "PORT", "1")
            accounting.record(record())
            while not accounting.is_degraded():  # noqa: ASYNC110 - what changes it is another thread
                await asyncio.sleep(0.01)
        while accounting.is_degraded():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await accounting.aclose()
    assert await asyncio.to_thread(count_rows) == 1


def count_rows() -> int:
    """From a thread that keeps no connection."""
    try:
        return RequestLog.objects.count()
    finally:
        connection.close()
