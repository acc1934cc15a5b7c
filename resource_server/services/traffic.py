"""What this process knows of each target from the requests that it sent there."""

import time
from collections.abc import Callable

from resource_server.domain.breaker import Breaker
from resource_server.domain.catalogue import Key, Place
from resource_server.domain.load import Load
from resource_server.domain.targets import Target
from resource_server.services.gate import Gate

_WEIGHT = 0.2
"""Of the newest latency in the average: some ten requests back are still felt."""


class TargetTraffic:
    """One target's.

    Attributes:
        gate: the way in.
        breaker: closed while the target answers.
        latency_s: from the call to a stream's first content, averaged over the last ones; `None` before the first.
        answered_at: POSIX seconds of its last answer; 0 before the first.
    """

    __slots__ = ("answered_at", "breaker", "gate", "latency_s")

    def __init__(self, capacity: int, breaker: Breaker) -> None:
        self.gate = Gate(capacity)
        self.breaker = breaker
        self.latency_s: float | None = None
        self.answered_at = 0.0

    def note_answer(self) -> None:
        """It answered, whatever it said."""
        self.breaker.succeed()
        self.answered_at = time.time()

    def note_latency(self, latency_s: float) -> None:
        """A stream began after so long."""
        before_s = latency_s if self.latency_s is None else self.latency_s
        self.latency_s = before_s + _WEIGHT * (latency_s - before_s)


class Traffic:
    """Every target's, kept for as long as the process: as many as were ever in the catalogue."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._targets: dict[Key, TargetTraffic] = {}

    def of(self, target: Target) -> TargetTraffic:
        """What is known of this target."""
        key = (target.cluster, target.framework, target.model)
        found = self._targets.get(key)
        if found is None:
            found = self._targets[key] = TargetTraffic(target.max_concurrency, Breaker(self._clock))
        found.gate.capacity = target.max_concurrency
        return found

    def find(self, place: Place) -> TargetTraffic | None:
        """What is known of this place; `None` before the first request. Changes nothing: any thread may ask."""
        return self._targets.get(place.key)

    def load(self, place: Place) -> Load:
        """How busy the place is, as this process sees it."""
        found = self.of(place.target)
        return Load(found.gate.inside + found.gate.waiting, found.gate.capacity, found.latency_s)
