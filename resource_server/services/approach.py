"""The way to a target that lets a request in: past those that fail, are full, or are not hot."""

import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from resource_server.domain.errors import GatewayError, ModelLoading
from resource_server.domain.ranking import LAST_RESORTS, Candidate
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from resource_server.services.gate import GateFull, Waiter
from resource_server.services.holding import Holding, StartFailed
from resource_server.services.maintenance import build_gone
from resource_server.services.traffic import TargetTraffic, Traffic
from resource_server.services.upstream_errors import build_busy
from resource_server.telemetry.series import QUEUE_WAIT

QUEUE_WAIT_S = 30.0
"""How long a request queues before targets that are hot and full."""
LOOK_S = 2.0
"""How often a request that is held looks whether another target has become hot."""
RETRY_AFTER_S = 30
"""Where nobody knows how long a model takes to start."""


class Approach:
    """One request's. At any time it is inside one target at most; whoever holds it calls `leave`.

    Args:
        user: whose turn a place in a queue takes.
        hold_s: how long the request may be held for a model that is not hot.
        settle: hears which candidate has begun to answer.

    Attributes:
        current: the candidate that was entered, or is waited for.
        failure: why the last candidate did not let it in; `None` where none said.
        waited_s: what it has spent in queues and held.
    """

    def __init__(  # noqa: PLR0913 - collaborators, all injected
        self,
        traffic: Traffic,
        holding: Holding,
        candidates: Sequence[Candidate],
        *,
        user: str,
        hold_s: float,
        settle: Callable[[Candidate], Awaitable[None]],
    ) -> None:
        self._settle = settle
        self._traffic = traffic
        self._holding = holding
        self._left = deque(candidates)
        self._full: deque[Candidate] = deque()
        self._user = user
        self._held_until = time.monotonic() + hold_s
        self._waiter: Waiter | None = None
        self._inside: TargetTraffic | None = None
        self.current = candidates[0]
        self.failure: GatewayError | None = None
        self.waited_s = 0.0

    @property
    def left(self) -> int:
        """How many candidates are still to be tried."""
        return len(self._left) + len(self._full)

    @property
    def traffic(self) -> TargetTraffic:
        """Of the current candidate."""
        return self._traffic.of(self.current.place.target)

    def standing(self) -> Standing:
        """Where the current candidate stands now."""
        return self._holding.standing(self.current.place)

    def describe(self) -> str:
        """What the request waits for, in the words of the wire contract."""
        if self._waiter is None or not (position := self._waiter.position):
            return "waiting"
        standing = self.standing()
        eta = "" if standing.eta_s is None else f" eta_s={standing.eta_s:.0f}"
        return f"{standing.state} position={position}{eta}"

    async def enter_next(self) -> bool:
        """Enter the next candidate; False once none is left, with `failure` saying why."""
        while self._left or self._full:
            if self._full and not (self._left and self._is_hot(self._left[0])):
                entered = await self._queue(self._full.popleft())
            else:
                entered = await self._try(self._left.popleft())
            if entered:
                return True
        return False

    async def note_answer(self) -> None:
        """The current candidate has begun to answer."""
        self.traffic.note_answer()
        if self.current.settles:
            await self._settle(self.current)

    def leave(self) -> None:
        """Give the place back. Idempotent."""
        inside, self._inside = self._inside, None
        if inside is not None:
            inside.gate.leave()

    async def _try(self, candidate: Candidate) -> bool:
        if candidate.state not in LAST_RESORTS and not self._is_hot(candidate):
            return await self._hold(candidate)
        if self._traffic.of(candidate.place.target).gate.try_enter():
            return self._enter(candidate)
        self._full.append(candidate)
        return False

    def _enter(self, candidate: Candidate) -> bool:
        """Take the place inside, unless the target has failed too often since it was ranked."""
        traffic = self._traffic.of(candidate.place.target)
        if not traffic.breaker.admit():
            traffic.gate.leave()
            self.failure = self.failure or self._build_gone(candidate)
            return False
        self.current, self._inside = candidate, traffic
        return True

    async def _queue(self, candidate: Candidate) -> bool:
        self.current = candidate
        try:
            waiter = self._traffic.of(candidate.place.target).gate.join(self._user)
        except GateFull:
            self.failure = build_busy()
            return False
        with self._timed("full"):
            has_come = await self._wait(waiter, QUEUE_WAIT_S)
        if has_come:
            return self._enter(candidate)
        waiter.abandon()
        self.failure = build_busy()
        return False

    async def _hold(self, candidate: Candidate) -> bool:
        """Wait for the model to be hot, or for another one that is."""
        self.current = candidate
        with self._timed("held"):
            return await self._wait_held(candidate)

    async def _wait_held(self, candidate: Candidate) -> bool:
        try:
            waiter = self._holding.join(candidate.place, self._user)
        except GateFull:
            self.failure = build_busy()
            return False
        try:
            while (left_s := self._held_until - time.monotonic()) > 0 and self._fits(left_s):
                if await self._wait(waiter, min(left_s, LOOK_S)):
                    return self._enter(candidate)
                if self._bring_hot_forward():
                    self._left.append(candidate)
                    break
            else:
                self.failure = self._build_loading()
                self._left.clear()  # the others are further away: no reason to start the model there as well
        except StartFailed:
            self.failure = self._build_gone(candidate)
            return False
        waiter.abandon()
        return False

    async def _wait(self, waiter: Waiter, wait_s: float) -> bool:
        self._waiter = waiter
        began_at = time.monotonic()
        try:
            return await waiter.has_come(wait_s)
        finally:
            self._waiter = None
            self.waited_s += time.monotonic() - began_at

    @contextmanager
    def _timed(self, reason: str) -> Iterator[None]:
        before_s = self.waited_s
        try:
            yield
        finally:
            if self.waited_s > before_s:
                QUEUE_WAIT.observe(reason, amount=self.waited_s - before_s)

    def _fits(self, left_s: float) -> bool:
        eta_s = self.standing().eta_s
        return eta_s is None or eta_s <= left_s

    def _is_hot(self, candidate: Candidate) -> bool:
        return self._holding.standing(candidate.place).state is ModelState.HOT

    def _bring_hot_forward(self) -> bool:
        """Whether a candidate that is left has become hot; it is the next then."""
        hot = next((candidate for candidate in self._left if self._is_hot(candidate)), None)
        if hot is None:
            return False
        self._left.remove(hot)
        self._left.appendleft(hot)
        return True

    def _build_gone(self, candidate: Candidate) -> GatewayError:
        return build_gone([(candidate.place, self._holding.standing(candidate.place))])

    def _build_loading(self) -> GatewayError:
        standing = self.standing()
        eta_s = math.ceil(standing.eta_s) if standing.eta_s is not None else None
        when = f" in about {eta_s} s" if eta_s is not None else ""
        headers = {"x-model-state": standing.state.value}
        if eta_s is not None:
            headers["x-model-eta"] = str(eta_s)
        return ModelLoading(
            f"The model is {standing.state} and is expected to serve{when}. It is being started: try again then, or "
            "stream the answer, which waits for it.",
            retry_after_s=RETRY_AFTER_S if eta_s is None else eta_s,
            headers=headers,
        )
