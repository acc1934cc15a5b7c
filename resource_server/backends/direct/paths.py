"""Which of two ways to a target is the faster one, by measurement."""

import random
import time
from collections.abc import Callable
from enum import StrEnum

from resource_server.domain.breaker import Breaker

_WEIGHT = 0.2
EXPLORE = 0.01
"""So many requests go the slower way, lest it has become the faster one."""


class Way(StrEnum):
    """How a request travels."""

    DIRECT = "direct"
    GLOBUS = "globus"


class Paths:
    """What is known of the two ways to one target, by this process.

    Args:
        clock: monotonic seconds.
        chance: from 0 to 1.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self._chance = chance
        self._breaker = Breaker(clock)
        self._latency_s: dict[Way, float] = {}

    def choose(self) -> Way:
        """The way for the next request: an untried one first, then the faster, now and then the other."""
        if self._breaker.is_open():
            return Way.GLOBUS
        for way in Way:
            if way not in self._latency_s:
                return self._admit(way)
        faster = min(Way, key=self._latency_s.__getitem__)
        slower = Way.GLOBUS if faster is Way.DIRECT else Way.DIRECT
        return self._admit(slower if self._chance() < EXPLORE else faster)

    def note(self, way: Way, latency_s: float) -> None:
        """An answer began after so long."""
        before_s = self._latency_s.get(way, latency_s)
        self._latency_s[way] = before_s + _WEIGHT * (latency_s - before_s)
        if way is Way.DIRECT:
            self._breaker.succeed()

    def note_failure(self) -> None:
        """The direct way failed: after a few in a row it is left alone for a while."""
        self._breaker.fail()

    def _admit(self, way: Way) -> Way:
        return Way.GLOBUS if way is Way.DIRECT and not self._breaker.admit() else way
