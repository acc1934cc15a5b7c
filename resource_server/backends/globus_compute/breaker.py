"""Spares callers the wait for a web service that is away."""

import random
import time

FAILURES = 5
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0


class Breaker:
    """Opens after several failures in a row, for growing pauses; the first call after a pause decides anew."""

    def __init__(self) -> None:
        self._failures = 0
        self._open_until = 0.0

    def is_open(self) -> bool:
        """Whether a call is not worth its wait now."""
        return time.monotonic() < self._open_until

    def note_answer(self) -> None:
        """The service answered, whatever it said."""
        self._failures = 0

    def note_failure(self) -> None:
        """The service did not answer, or said that it cannot."""
        self._failures += 1
        if self._failures >= FAILURES:
            pause_s = min(FIRST_PAUSE_S * 2 ** (self._failures - FAILURES), LONGEST_PAUSE_S)
            self._open_until = time.monotonic() + pause_s * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
