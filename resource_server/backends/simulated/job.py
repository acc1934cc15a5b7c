"""A simulated target that has to be started, as a scheduler's job would be."""

import asyncio
import time
from collections.abc import Callable

from resource_server.backends.base import UpstreamTimeout
from resource_server.domain.catalogue import Key
from resource_server.domain.states import ModelState
from resource_server.domain.targets import SimulatedTarget


class SimulatedJobs:
    """One job per target with a `cold_start_s`; a call to a cold one starts it, and waits.

    Attributes:
        starts: how many jobs were started so far.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.starts = 0
        self._clock = clock
        self._ready_at: dict[Key, float] = {}
        self._used_at: dict[Key, float] = {}

    def state(self, target: SimulatedTarget) -> ModelState:
        """Cold without a job, starting for `cold_start_s`, then hot until nobody has used it for `idle_stop_s`."""
        if not target.cold_start_s:
            return ModelState.HOT
        key = _key(target)
        ready_at = self._ready_at.get(key)
        if ready_at is None:
            return ModelState.COLD
        now = self._clock()
        if now < ready_at:
            return ModelState.STARTING
        is_idle = target.idle_stop_s is not None and now - max(self._used_at[key], ready_at) > target.idle_stop_s
        return ModelState.COLD if is_idle else ModelState.HOT

    async def use(self, target: SimulatedTarget, deadline: float) -> None:
        """Return once the target's job serves. Raises `UpstreamTimeout` at `deadline` (`time.monotonic()`)."""
        if not target.cold_start_s:
            return
        key = _key(target)
        now = self._clock()
        if self.state(target) is ModelState.COLD:
            self.starts += 1
            self._ready_at[key] = now + target.cold_start_s
        self._used_at[key] = now
        wait_s = self._ready_at[key] - now
        if now + wait_s > deadline:
            await asyncio.sleep(max(deadline - now, 0))
            raise UpstreamTimeout("the deadline passed before the simulated job served")
        await asyncio.sleep(max(wait_s, 0))
        self._used_at[key] = self._clock()


def _key(target: SimulatedTarget) -> Key:
    return (target.cluster, target.framework, target.model)
