"""The spool and its drain on a real file system, with the store in memory."""

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from resource_server.accounting.drain import REFUSED_NAME, Drain, StoreUnavailable
from resource_server.accounting.record import decode_record, encode_record
from resource_server.accounting.segments import list_segments
from resource_server.accounting.spool import Spool
from tests.unit.accounting.records import record, records
from tests.unit.accounting.stores import MemoryStore

WRITER = """
import os, sys
from pathlib import Path
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()
from resource_server.accounting.spool import Spool
from tests.unit.accounting.records import record
spool = Spool(Path(sys.argv[1]))
for number in range(1_000_000):
    spool.append(record(request_id=f"{sys.argv[2]}-{number}"))
    print(number, flush=True)
"""


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def drain(tmp_path: Path, store: MemoryStore) -> Drain:
    return Drain(tmp_path, store.insert)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The kernel refuses to let any file of this process grow over `size` bytes: a full disk in small."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_record_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    written = records(3)
    for one in written:
        spool.append(one)
    [segment] = list_segments(tmp_path)
    assert [decode_record(line) for line in segment.read_bytes().splitlines()] == written
    assert segment.stat().st_mode & 0o777 == 0o600
    spool.close()


def test_open_segment_is_left_to_its_writer(tmp_path: Path, store: MemoryStore, drain: Drain) -> None:
    spool = Spool(tmp_path)
    spool.append(record())
    drain.run_once()
    assert not store.rows
    spool.rotate()
    drain.run_once()
    assert len(store.rows) == 1
    spool.close()


def test_drain_stores_everything_once_and_removes_the_files(tmp_path: Path, store: MemoryStore, drain: Drain) -> None:
    written = records(1201)
    spool = Spool(tmp_path)
    for number, one in enumerate(written):
        spool.append(one)
        if number % 500 == 0:
            spool.rotate()
    spool.close()
    drain.run_once()
    assert list(store.rows.values()) == written
    assert list_segments(tmp_path) == []
    drain.run_once()
    assert store.calls == 4


def test_drain_that_was_killed_before_the_removal_stores_nothing_twice(
    tmp_path: Path, store: MemoryStore, drain: Drain
) -> None:
    spool = Spool(tmp_path)
    spool.append(record())
    spool.close()
    [segment] = list_segments(tmp_path)
    content = segment.read_bytes()
    drain.run_once()
    segment.write_bytes(content)
    drain.run_once()
    assert len(store.rows) == 1


def test_store_that_is_away_loses_nothing(tmp_path: Path, store: MemoryStore, drain: Drain) -> None:
    spool = Spool(tmp_path)
    spool.append(record())
    spool.close()
    store.available = False
    with pytest.raises(StoreUnavailable):
        drain.run_once()
    store.available = True
    drain.run_once()
    assert len(store.rows) == 1


def test_drain_that_is_stopped_leaves_the_rest(tmp_path: Path, store: MemoryStore, drain: Drain) -> None:
    spool = Spool(tmp_path)
    spool.append(record())
    spool.close()
    drain.stop()
    drain.run_once()
    assert not store.rows
    Drain(tmp_path, store.insert).run_once()
    assert len(store.rows) == 1


def test_torn_lines_cost_only_themselves(tmp_path: Path, store: MemoryStore, drain: Drain) -> None:
    first, second = records(2)
    torn = encode_record(record())[:40]
    (tmp_path / "1.jsonl").write_bytes(encode_record(first) + torn + b"\n" + encode_record(second) + torn)
    drain.run_once()
    assert list(store.rows.values()) == [first, second]
    assert drain.skipped == 2
    assert list_segments(tmp_path) == []


def test_record_that_the_store_cannot_hold_is_set_aside_alone(tmp_path: Path, store: MemoryStore, drain: Drain) -> None:
    written = records(20)
    store.refused_ids = {written[7].request_id, written[8].request_id}
    spool = Spool(tmp_path)
    for one in written:
        spool.append(one)
    spool.close()
    drain.run_once()
    assert set(store.rows) == {one.request_id for one in written} - store.refused_ids
    lines = (tmp_path / REFUSED_NAME).read_bytes().splitlines()
    assert [decode_record(line) for line in lines] == written[7:9]
    assert drain.refused == 2
    assert list_segments(tmp_path) == []


def test_full_disk_keeps_records_in_memory_and_writes_them_later(
    tmp_path: Path, store: MemoryStore, drain: Drain
) -> None:
    written = records(10)
    spool = Spool(tmp_path)
    with file_size_limit(len(encode_record(written[0])) * 3 + 40):
        for one in written:
            spool.append(one)
        assert spool.is_degraded()
    assert spool.lost == 0
    spool.rotate()
    assert not spool.is_degraded()
    spool.close()
    drain.run_once()
    assert list(store.rows) == [one.request_id for one in written]


def test_memory_is_bounded_and_what_is_lost_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_backlog=2)
    with file_size_limit(1):
        for one in records(5):
            spool.append(one)
        assert (spool.lost, spool.is_degraded()) == (3, True)
        spool.close()
    assert spool.lost == 5


def test_two_processes_share_a_directory_and_kill_loses_nothing_written(
    tmp_path: Path, store: MemoryStore, drain: Drain
) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], stdout=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    acknowledged = {}
    for name, writer in zip("ab", writers, strict=True):
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        acknowledged[name] = 0
    drain.run_once()
    assert not store.rows, "the segments of living writers were drained"
    time.sleep(0.2)
    for name, writer in zip("ab", writers, strict=True):
        writer.send_signal(signal.SIGKILL)
        assert writer.stdout is not None
        numbers = [int(line) for line in writer.stdout.read().split("\n") if line]
        writer.wait(10)
        acknowledged[name] = max(numbers, default=0)
    drain.run_once()
    for name, last in acknowledged.items():
        assert {f"{name}-{number}" for number in range(last + 1)} <= set(store.rows)
    assert list_segments(tmp_path) == []


def test_append_is_cheap(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    one = record()
    started_at = time.perf_counter()
    for _ in range(2000):
        spool.append(one)
    assert (time.perf_counter() - started_at) / 2000 < 200e-6
    spool.close()
