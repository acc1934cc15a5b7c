"""Simulated targets that must be started."""

import asyncio
import time
from typing import Any

import pytest

from resource_server.backends.base import UpstreamTimeout
from resource_server.backends.simulated.job import SimulatedJobs
from resource_server.domain.states import ModelState
from resource_server.domain.targets import SimulatedTarget, parse_target


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def target(**fields: Any) -> SimulatedTarget:
    document = {"backend": "simulated", "cluster": "c", "framework": "vllm", "model": "m", "cold_start_s": 30, **fields}
    found = parse_target(document)
    assert isinstance(found, SimulatedTarget)
    return found


async def start(jobs: SimulatedJobs, where: SimulatedTarget) -> None:
    """Have it started without waiting for it."""
    waiting = asyncio.create_task(jobs.use(where, 1e9))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_cold_target_starts_once_and_is_hot_after_its_time() -> None:
    clock = Clock()
    jobs = SimulatedJobs(clock)
    where = target()
    assert jobs.state(where) is ModelState.COLD
    for _ in range(3):
        await start(jobs, where)
        assert jobs.state(where) is ModelState.STARTING
    clock.now += 30
    assert jobs.state(where) is ModelState.HOT
    assert jobs.starts == 1


async def test_target_that_nobody_uses_is_cold_again() -> None:
    clock = Clock()
    jobs = SimulatedJobs(clock)
    where = target(idle_stop_s=10)
    await start(jobs, where)
    clock.now += 30
    await jobs.use(where, 1e9)
    clock.now += 10
    assert jobs.state(where) is ModelState.HOT
    clock.now += 1
    assert jobs.state(where) is ModelState.COLD
    await start(jobs, where)
    assert jobs.starts == 2


async def test_deadline_before_it_serves_is_a_timeout() -> None:
    with pytest.raises(UpstreamTimeout):
        await SimulatedJobs().use(target(), time.monotonic() + 0.05)


async def test_target_without_a_start_is_always_hot() -> None:
    jobs = SimulatedJobs()
    assert jobs.state(target(cold_start_s=0)) is ModelState.HOT
    await jobs.use(target(cold_start_s=0), 0)
    assert jobs.starts == 0
