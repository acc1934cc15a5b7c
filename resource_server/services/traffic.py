"""What this process knows of each target from the requests that it sent there."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from resource_server.domain.breaker import Breaker
from resource_server.domain.catalogue import Key
from resource_server.domain.targets import Target

_WEIGHT = 0.2
"""Of the newest latency in the average: some ten requests back are still felt."""


@dataclass(slots=True)
class TargetTraffic:
    """One target's.

    Attributes:
        latency_s: from the call to the first content, averaged over the last requests; `None` before the first.
        breaker: closed while the target answers.
    """

    breaker: Breaker = field(default_factory=Breaker)
    latency_s: float | None = None

    def note_content(self, latency_s: float) -> None:
        """It answered, after so long."""
        self.breaker.succeed()
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
            found = self._targets[key] = TargetTraffic(Breaker(self._clock))
        return found

    def is_ejected(self, target: Target) -> bool:
        """Whether it failed so often lately that it is not offered."""
        return self.of(target).breaker.is_open()
