"""Requests for models that are not hot wait here: each is demand, one call starts the model, all have their turn."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

from resource_server.backends.base import Backend, BackendFailure, Call
from resource_server.domain.catalogue import Key, Place
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from resource_server.domain.warming import build_warming_body, find_warming_operation
from resource_server.services.gate import Gate, Waiter
from resource_server.services.traffic import Traffic
from resource_server.state.background import Background
from resource_server.state.base import State
from resource_server.telemetry.series import COLD_START_DURATION, COLD_STARTS

logger = logging.getLogger(__name__)

LOOK_S = 0.5
LEASE_S = 10.0
NEWS_S = 60.0
START_WITHIN_S = 3600.0
FAILURES = 3
_GONE = frozenset({ModelState.OFFLINE, ModelState.MAINTENANCE})


class StartFailed(Exception):
    """The model did not start, or its place went away meanwhile."""


class Holding:
    """The waiting rooms of this process, one for each target that somebody waits for.

    A target's gate is closed while its vigil lasts. One worker at a time, the holder of the target's lease, makes the
    call that starts the model; when that worker dies, another one's vigil takes over.

    Args:
        standing_of: from memory.
        owner: this process, among those that share `state`.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        standing_of: Callable[[Place], Standing],
        traffic: Traffic,
        state: State,
        owner: str,
    ) -> None:
        self._backends = backends
        self._standing_of = standing_of
        self._traffic = traffic
        self._state = state
        self._owner = owner
        self._vigils: dict[Key, Vigil] = {}
        self._background = Background()

    def join(self, place: Place, user: str) -> Waiter:
        """Wait for the place to be hot, and for a turn there. Raises `GateFull`; the waiter raises `StartFailed`."""
        self.warm(place)
        return self._traffic.of(place.target).gate.join(user)

    def warm(self, place: Place) -> None:
        """Start the model at this place, unless that is under way."""
        if place.key in self._vigils:
            return
        gate = self._traffic.of(place.target).gate
        gate.close()
        vigil = self._vigils[place.key] = Vigil(self, place, gate)
        self._background.start("hold", self._keep(vigil), about="/".join(place.key))

    def standing(self, place: Place) -> Standing:
        """Where the place stands."""
        return self._standing_of(place)

    def can_start(self, place: Place) -> bool:
        """Whether a call makes the model start; elsewhere one can only wait."""
        return self._backends[place.target.backend].starts_models

    async def take_start(self, place: Place) -> bool:
        """Whether this process is the one that starts the model."""
        return await self._state.leases.acquire(_lease(place), self._owner, LEASE_S)

    async def call(self, place: Place) -> None:
        """Have the model answer once, however long it takes to start; then all workers know. Raises `StartFailed`."""
        target = place.target
        operation = find_warming_operation(target)
        body = build_warming_body(target, operation)
        deadline = time.monotonic() + START_WITHIN_S
        request_id = f"warm_{time.time_ns():x}"
        try:
            upstream = await self._backends[target.backend].open(
                Call(request_id, target, operation, body, stream=False, deadline=deadline)
            )
        except BackendFailure as exc:
            raise StartFailed(str(exc)) from exc
        await upstream.aclose()
        if upstream.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise StartFailed(f"status {upstream.status}")
        self._traffic.of(target).note_answer()
        await self._state.key_value.set(_news(place), b"hot", NEWS_S)

    async def is_hot_elsewhere(self, place: Place) -> bool:
        """Whether another worker has seen it answer."""
        return await self._state.key_value.get(_news(place)) is not None

    async def aclose(self) -> None:
        """End all vigils; whoever waits is told."""
        await self._background.aclose()

    async def _keep(self, vigil: "Vigil") -> None:
        is_hot, outcome = False, "abandoned"
        try:
            is_hot = await vigil.run()
            outcome = "succeeded" if is_hot else "failed"
        finally:
            if vigil.called_at is not None:
                COLD_STARTS.inc(vigil.place.target.cluster, outcome)
            if vigil.called_at is not None and is_hot:
                COLD_START_DURATION.observe(vigil.place.target.cluster, amount=time.monotonic() - vigil.called_at)
            del self._vigils[vigil.place.key]
            if not is_hot:
                vigil.gate.turn_away(lambda: StartFailed("the model did not start"))
            vigil.gate.open()
            await self._state.leases.release(_lease(vigil.place), self._owner)


class Vigil:
    """Watches one place until it is hot, gone, or nobody waits for it any more.

    Attributes:
        called_at: `time.monotonic()` of the first call of this process to start the model; `None` where it made none.
    """

    def __init__(self, holding: Holding, place: Place, gate: Gate) -> None:
        self.place = place
        self.gate = gate
        self.called_at: float | None = None
        self._holding = holding
        self._starting: asyncio.Task[None] | None = None
        self._failures = 0

    async def run(self) -> bool:
        """Whether the place became hot; false once there is no more hope."""
        until = time.monotonic() + START_WITHIN_S
        try:
            while time.monotonic() < until:
                standing = self._holding.standing(self.place)
                if standing.state is ModelState.HOT or await self._holding.is_hot_elsewhere(self.place):
                    return True
                if standing.state in _GONE or self._failures >= FAILURES:
                    return False
                await self._start()
                if await self._has_started():
                    return True
            return False
        finally:
            if self._starting is not None:
                self._starting.cancel()
                await asyncio.wait({self._starting})

    async def _start(self) -> None:
        """Make the call that starts the model, if this process is the one to make it and it is not under way."""
        if self._holding.can_start(self.place) and await self._holding.take_start(self.place) and not self._starting:
            self.called_at = self.called_at or time.monotonic()
            logger.info("model_starts target=%s", "/".join(self.place.key))
            self._starting = asyncio.create_task(self._holding.call(self.place), name="start model")

    async def _has_started(self) -> bool:
        """Whether the starting call has been answered; passes the time until the next look."""
        if self._starting is None:
            await asyncio.sleep(LOOK_S)
            return False
        await asyncio.wait({self._starting}, timeout=LOOK_S)
        if not self._starting.done():
            return False
        starting, self._starting = self._starting, None
        try:
            starting.result()
        except StartFailed as exc:
            self._failures += 1
            logger.warning("model_start_failed target=%s detail=%.300s", "/".join(self.place.key), exc)
            await asyncio.sleep(LOOK_S * 2**self._failures)
            return False
        return True


def _lease(place: Place) -> str:
    return f"start:{'/'.join(place.key)}"


def _news(place: Place) -> str:
    return f"hot:{'/'.join(place.key)}"
