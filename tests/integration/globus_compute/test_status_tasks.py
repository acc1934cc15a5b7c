"""Functions without arguments, run for the controller through the local cloud; what they return is untrusted."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from resource_server.backends.base import UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.globus_compute.backend import GlobusComputeBackend
from resource_server.domain.catalogue import ClusterRow
from resource_server.models import ClusterStatus
from resource_server.services.controller import Controller
from resource_server.services.database import DatabaseThread
from resource_server.state.memory import MemoryState
from resource_server.status.board import Board
from tests.integration.globus_compute.conftest import Cluster, register_source
from tests.personas import SERVICE_ACCOUNT_ID
from tests.waiting import wait_until

REPORT = {"running": [{"Models": "m", "Framework": "vllm", "Model Status": "hot"}], "cluster_status": {"free_nodes": 2}}
SOURCES = {
    "text": f"def status():\n    return {json.dumps(json.dumps(REPORT))}\n",
    "document": f"def status():\n    return {REPORT!r}\n",
    "prose": "def status():\n    return 'all is well'\n",
    "object": "def status():\n    return object()\n",
    "raises": "def status():\n    raise OSError('qstat: not found')\n",
    "sleeps": "import time\ndef status():\n    time.sleep(5)\n    return '{}'\n",
}
Run = Callable[..., Awaitable[str]]


@pytest.fixture
def register(cluster: Cluster) -> Callable[[str], str]:
    scope = "https://auth.globus.org/scopes/facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all"
    token = cluster.globus.admin.issue_token(SERVICE_ACCOUNT_ID, scope)
    return lambda name: register_source(cluster.globus.url, token, "status", SOURCES[name])


@pytest.fixture
def run(backend: GlobusComputeBackend, cluster: Cluster, register: Callable[[str], str]) -> Run:
    async def run_named(name: str, timeout_s: float = 20.0) -> str:
        function_id = await asyncio.to_thread(register, name)
        return await backend.run_function(cluster.endpoint_id, function_id, time.monotonic() + timeout_s)

    return run_named


@pytest.mark.parametrize("name", ["text", "document"])
async def test_json_comes_back_as_text_however_it_was_returned(run: Run, name: str) -> None:
    assert json.loads(await run(name)) == REPORT


@pytest.mark.parametrize("name", ["prose", "object", "raises"])
async def test_what_is_no_json_is_unavailable(run: Run, name: str) -> None:
    with pytest.raises(UpstreamUnavailable):
        await run(name)


async def test_function_that_takes_too_long_is_given_up(run: Run) -> None:
    with pytest.raises(UpstreamTimeout):
        await run("sleeps", timeout_s=1.5)


@asynccontextmanager
async def controlling(
    backend: GlobusComputeBackend, cluster: Cluster, function_id: str
) -> AsyncIterator[tuple[Board, DatabaseThread]]:
    board, database = Board(), DatabaseThread("controller-test")
    row = ClusterRow("test", status_endpoint_uuid=cluster.endpoint_id, status_function_uuid=function_id)
    controller = Controller(board, lambda: [row], backend, MemoryState(), database, owner="a", call_interval_s=0.5)
    running = asyncio.create_task(controller.run())
    try:
        yield board, database
    finally:
        running.cancel()
        await asyncio.wait({running})
        await asyncio.to_thread(database.close)  # the test's database is dropped next


@pytest.mark.django_db(transaction=True)
async def test_what_a_cluster_says_is_known_after_a_restart(
    backend: GlobusComputeBackend, cluster: Cluster, register: Callable[[str], str]
) -> None:
    function_id = await asyncio.to_thread(register, "text")
    async with controlling(backend, cluster, function_id) as (board, database):
        await wait_until(lambda: "test" in board.sightings, 20)
        as_of = board.sightings["test"].as_of
        async with asyncio.timeout(20):
            while not await database.run(ClusterStatus.objects.exists):  # noqa: ASYNC110 - a thread writes it
                await asyncio.sleep(0.05)
    broken = await asyncio.to_thread(register, "raises")
    async with controlling(backend, cluster, broken) as (board, _):
        await wait_until(lambda: "test" in board.sightings, 20)
        assert board.sightings["test"].as_of == as_of
        assert board.sightings["test"].report.free_nodes == 2
