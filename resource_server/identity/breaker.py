"""Calls to a service that may be away: bounded in time, and not repeated while it is known to be away."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from resource_server.domain.errors import AuthUnavailable
from resource_server.identity.base import AnswerUnusable, GlobusFailure, GlobusUnavailable
from resource_server.telemetry.series import BREAKER_OPEN

T = TypeVar("T")

_FAILURES_TO_OPEN = 5
_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 60.0
_jitter = random.SystemRandom()


class Breaker:
    """After five failures in a row, or when the service asks for it, calls fail at once until a pause has passed.

    Then one call at a time tries; each failure doubles the pause, the first success ends it. `service` is the name that
    metrics know it by.
    """

    def __init__(self, service: str, deadline_s: float, monotonic: Callable[[], float]) -> None:
        self._service = service
        self._deadline_s = deadline_s
        self._monotonic = monotonic
        self._failures = 0
        self._pauses = 0
        self._spared_until = 0.0

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """The answer of `call` within the deadline. Raises `GlobusUnavailable`, and whatever `call` raises."""
        self.check()
        is_probe = self._failures >= _FAILURES_TO_OPEN
        if is_probe:  # the others wait for its outcome
            self._spared_until = self._monotonic() + self._deadline_s
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await call()
        except TimeoutError:
            self._fail(None, is_probe=is_probe)
            raise GlobusUnavailable(f"no answer within {self._deadline_s:g} s") from None
        except GlobusFailure as exc:
            if isinstance(exc, GlobusUnavailable) and not isinstance(exc, AnswerUnusable):
                self._fail(exc.retry_after_s, is_probe=is_probe)
            else:  # the service is there: what it says of one token is no reason to spare it the others
                self._recover()
            raise
        self._recover()
        return answer

    def check(self) -> None:
        """Raises `GlobusUnavailable` while the service is spared."""
        left_s = self._spared_until - self._monotonic()
        if left_s > 0:
            raise GlobusUnavailable("not asked: recent calls failed", left_s)

    def is_failing(self) -> bool:
        """Whether the service did not answer when it was last asked."""
        return self._failures > 0

    def _recover(self) -> None:
        self._failures = 0
        self._pauses = 0
        self._spared_until = 0.0
        BREAKER_OPEN.set(self._service, to=0)

    def _fail(self, retry_after_s: float | None, *, is_probe: bool) -> None:
        self._failures += 1
        pause_s = min(retry_after_s or 0.0, _LONGEST_PAUSE_S)
        if is_probe or self._failures == _FAILURES_TO_OPEN:  # calls of one outage that fail together pause once
            doubled_s = min(_FIRST_PAUSE_S * 2.0**self._pauses, _LONGEST_PAUSE_S)
            self._pauses = min(self._pauses + 1, 10)
            pause_s = max(pause_s, doubled_s * _jitter.uniform(0.8, 1.2))
        self._spared_until = max(self._spared_until, self._monotonic() + pause_s)
        BREAKER_OPEN.set(self._service, to=self._spared_until > self._monotonic())


def build_unavailable(service: str, failure: GlobusUnavailable) -> AuthUnavailable:
    """What the client hears when `service` cannot be asked and nothing that is known will do."""
    retry_after_s = math.ceil(failure.retry_after_s or _FIRST_PAUSE_S)
    return AuthUnavailable(f"{service} cannot be asked now: try again shortly.", retry_after_s=retry_after_s)
