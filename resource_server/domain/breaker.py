"""Whether a place that failed lately is worth another try."""

import random
import time
from collections import deque
from collections.abc import Callable

FAILURES_IN_A_ROW = 5
WINDOW = 20
WINDOW_S = 10.0
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0
PROBE_S = 30.0
"""A try whose outcome nobody reports, because its caller left, keeps others waiting no longer than this."""


class Breaker:
    """Opens after five failures in a row, or when half of the last 20 outcomes failed within 10 s.

    Open, it admits nobody for 5 s, with jitter. Then one try at a time decides: a success closes it, a failure doubles
    the pause, up to a minute.

    Args:
        clock: monotonic seconds.
        jitter: a factor near 1 for each pause.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2),  # noqa: S311 - spreads retries, hides nothing
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=WINDOW)
        self._in_a_row = 0
        self._pauses = 0
        self._closed_again_at: float | None = None
        self._probe_until = 0.0

    def is_open(self) -> bool:
        """Whether nobody is admitted now: it is not worth offering."""
        closed_again_at = self._closed_again_at  # read once: `/metrics` asks from a thread
        return closed_again_at is not None and self._clock() < max(closed_again_at, self._probe_until)

    def admit(self) -> bool:
        """Whether a try may go ahead; after a pause only one, whose outcome the others wait for."""
        if self._closed_again_at is None:
            return True
        if self.is_open():
            return False
        self._probe_until = self._clock() + PROBE_S
        return True

    def succeed(self) -> None:
        """It answered."""
        self._in_a_row = 0
        if self._closed_again_at is not None:
            self._closed_again_at = None
            self._pauses = 0
            self._outcomes.clear()
        self._outcomes.append((self._clock(), True))

    def fail(self) -> None:
        """It did not answer, or not as it should."""
        now = self._clock()
        self._in_a_row += 1
        self._outcomes.append((now, False))
        is_late_news = self._closed_again_at is not None and now < self._closed_again_at
        if not is_late_news and (self._closed_again_at is not None or self._is_failing(now)):
            pause_s = min(FIRST_PAUSE_S * 2.0**self._pauses * self._jitter(), LONGEST_PAUSE_S)
            self._pauses = min(self._pauses + 1, 10)
            self._closed_again_at = now + pause_s
            self._probe_until = 0.0

    def _is_failing(self, now: float) -> bool:
        if self._in_a_row >= FAILURES_IN_A_ROW:
            return True
        is_full = len(self._outcomes) == WINDOW and now - self._outcomes[0][0] <= WINDOW_S
        return is_full and 2 * sum(not succeeded for _, succeeded in self._outcomes) >= WINDOW
