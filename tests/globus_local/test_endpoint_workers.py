"""Worker processes: each test starts real ones."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from globus_compute_sdk.serialize import ComputeSerializer

from globus_local.compute.wire import decode_message, encode_message, pack_source
from globus_local.endpoint.workers import WorkerLostError, WorkerPool

DEADLINE_S = 30
ENDPOINT_ID = "11111111-0000-4000-8000-000000000001"
JSON = "globus_compute_sdk.serialize.JSONData"
ROOT = Path(__file__).resolve().parents[2]

serializer = ComputeSerializer(strategy_data=JSON)


def build_task(name: str, source: str, *args: object) -> bytes:
    arguments = serializer.pack_buffers([serializer.serialize(args), serializer.serialize({})])
    return encode_message("task", {"task_id": "t", "task_buffer": pack_source(name, source) + arguments})


GET_PID = build_task("get_pid", "import os\n\ndef get_pid():\n    return os.getpid()\n")
SLEEP = build_task("nap", "import time\n\ndef nap():\n    time.sleep(60)\n")


@asynccontextmanager
async def running_pool(processes: int = 1, threads: int = 2, **env: str) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(ENDPOINT_ID, processes=processes, threads=threads, env=env)
    run = asyncio.create_task(pool.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await pool.wait_ready()
            yield pool
    finally:
        run.cancel()
        await asyncio.wait([run])


async def execute(pool: WorkerPool, task: bytes) -> object:
    data = decode_message(await pool.execute("t", task, [JSON]), "result")
    assert data["error_details"] is None, data["data"]
    return serializer.deserialize(data["data"])


def is_running(pid: int) -> bool:
    """Neither gone nor a zombie that nobody has waited for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while any(map(is_running, pids)):
        assert time.monotonic() < deadline, f"{pids} still run"
        time.sleep(0.02)


async def test_functions_run_in_another_process_with_the_endpoints_environment() -> None:
    source = "import os\n\ndef look():\n    return [os.getpid(), os.environ['PLACE']]\n"
    async with running_pool(PLACE="node 7") as pool:
        assert await execute(pool, build_task("look", source)) == [*pool.process_ids, "node 7"]
    assert os.getpid() not in pool.process_ids


async def test_work_is_spread_over_the_processes() -> None:
    source = "import os, time\n\ndef work():\n    time.sleep(0.3)\n    return os.getpid()\n"
    async with running_pool(processes=2) as pool:
        await pool.wait_ready(2)
        pids = await asyncio.gather(*(execute(pool, build_task("work", source)) for _ in range(2)))
        assert set(pids) == set(pool.process_ids)


async def test_killed_worker_loses_its_task_and_is_replaced() -> None:
    async with running_pool() as pool:
        [pid] = pool.process_ids
        waiting = asyncio.create_task(pool.execute("t", SLEEP, [JSON]))
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(WorkerLostError):
            await waiting
        assert await execute(pool, GET_PID) != pid


async def test_stopped_pool_leaves_no_process_even_while_functions_run() -> None:
    async with running_pool(processes=2) as pool:
        pids = pool.process_ids
        waiting = asyncio.create_task(pool.execute("t", SLEEP, [JSON]))
        await asyncio.sleep(0.1)
    wait_gone(pids)
    with pytest.raises(WorkerLostError):
        await waiting


async def test_given_up_task_does_not_disturb_the_next_one() -> None:
    async with running_pool() as pool:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.execute("given up", SLEEP, [JSON]), 0.1)
        assert await execute(pool, GET_PID) == pool.process_ids[0]


CLOUD_SCRIPT = """
import asyncio, pathlib, sys
from globus_local.endpoint.workers import WorkerPool

async def main():
    pool = WorkerPool("e", processes=2, threads=1, env={})
    run = asyncio.create_task(pool.run())
    await pool.wait_ready(2)
    body = pathlib.Path(sys.argv[1]).read_bytes()
    tasks = [asyncio.create_task(pool.execute(name, body, [])) for name in "ab"]
    await asyncio.sleep(0.2)
    print(*pool.process_ids, flush=True)
    await run

asyncio.run(main())
"""


def test_workers_end_when_their_cloud_is_killed_even_while_functions_run(tmp_path: Path) -> None:
    (tmp_path / "cloud.py").write_text(CLOUD_SCRIPT)
    (tmp_path / "task").write_bytes(SLEEP)
    command: list[str | Path] = [sys.executable, tmp_path / "cloud.py", tmp_path / "task"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as cloud:
        assert cloud.stdout is not None
        pids = [int(pid) for pid in cloud.stdout.readline().split()]
        assert [is_running(pid) for pid in pids] == [True, True]
        cloud.kill()
    wait_gone(pids)
