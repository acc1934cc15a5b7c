"""Endpoints' status: asked for by one worker, known to all, tried while unknown."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from resource_server.backends.globus_compute.pacing import Pacing
from resource_server.backends.globus_compute.service import ComputeError
from resource_server.backends.globus_compute.status import KEY, EndpointStatus
from resource_server.state.background import Background
from resource_server.state.memory import MemoryState
from tests.unit.globus_compute.fakes import MemoryComputeService

UP, DOWN, ODD = "up", "down", "odd"
Worker = Callable[[], EndpointStatus]


@pytest.fixture
def service() -> MemoryComputeService:
    service = MemoryComputeService()
    service.online = {UP: True, DOWN: False, ODD: ComputeError("no answer")}
    return service


@pytest.fixture
async def worker(service: MemoryComputeService) -> AsyncIterator[Worker]:
    """Workers that share a state, each started as it is made."""
    state, background = MemoryState(), Background()

    def start() -> EndpointStatus:
        pacing = Pacing(state.pacer, "c", 0.001)
        status = EndpointStatus(service, pacing, state, lambda: [UP, DOWN, ODD], 0.3)
        background.start("status", status.run())
        return status

    yield start
    await background.aclose()


async def test_unknown_endpoint_is_tried(worker: Worker) -> None:
    assert not worker().is_offline(DOWN)


async def test_each_endpoint_is_asked_for_once_an_interval(worker: Worker, service: MemoryComputeService) -> None:
    status = worker()
    await asyncio.sleep(0.1)
    assert sorted(service.asked[:2]) == [DOWN, ODD]
    assert (status.is_offline(UP), status.is_offline(DOWN), status.is_offline(ODD)) == (False, True, False)
    await asyncio.sleep(0.35)
    assert service.asked.count(UP) == 2


async def test_other_workers_read_what_one_asks(worker: Worker, service: MemoryComputeService) -> None:
    worker()
    await asyncio.sleep(0.05)
    others = [worker() for _ in range(3)]
    await asyncio.sleep(0.05)
    assert all(other.is_offline(DOWN) and not other.is_offline(UP) for other in others)
    assert service.asked.count(DOWN) == 1


async def test_change_is_seen(worker: Worker, service: MemoryComputeService) -> None:
    status = worker()
    await asyncio.sleep(0.05)
    service.online[DOWN] = True
    await asyncio.sleep(0.4)
    assert not status.is_offline(DOWN)


async def test_endpoint_that_was_heard_is_online_and_not_asked_for(
    worker: Worker, service: MemoryComputeService
) -> None:
    status = worker()
    for _ in range(10):
        status.note_online(UP)
        await asyncio.sleep(0.05)
    assert UP not in service.asked


async def test_unknown_to_the_service_counts_as_offline(worker: Worker, service: MemoryComputeService) -> None:
    service.online[ODD] = ComputeError("no such endpoint", status=404)
    status = worker()
    await asyncio.sleep(0.1)
    assert status.is_offline(ODD)


async def test_old_news_is_no_news(worker: Worker, service: MemoryComputeService) -> None:
    status = worker()
    await asyncio.sleep(0.1)
    service.online[DOWN] = ComputeError("no answer")
    await asyncio.sleep(1.1)
    assert not status.is_offline(DOWN)


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"down": 1}', b'{"down": ["no", 1]}', b'{"down": [false]}'])
async def test_garbage_of_another_worker_is_ignored(service: MemoryComputeService, garbage: bytes) -> None:
    state, background = MemoryState(), Background()
    await state.leases.acquire("globus_compute:status", "another", 60)
    await state.key_value.set(KEY, garbage, 60)
    status = EndpointStatus(service, Pacing(state.pacer, "c", 0.001), state, lambda: [DOWN], 0.3)
    background.start("status", status.run())
    await asyncio.sleep(0.1)
    assert not status.is_offline(DOWN)
    assert len(background) == 1
    await background.aclose()
