"""Simulated time: a heap of what happens next."""

from collections.abc import Callable
from heapq import heappop, heappush


class Clock:
    """Runs callbacks in the order of their times; ties in the order in which they were set."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Call back in `delay_s` seconds."""
        self._count += 1
        heappush(self._events, (self.now_s + delay_s, self._count, callback))

    def run(self, until_s: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until_s:
            self.now_s, _, callback = heappop(self._events)
            callback()
        self.now_s = until_s
