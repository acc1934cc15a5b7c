"""Misbehaviour on demand: HTTP faults for any service, a rate limit, and named faults of Compute."""

import uuid
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, get_args

Action = Literal["status", "delay", "drop", "hang", "malformed"]
CountedFault = Literal["drop_results", "duplicate_results", "refuse_submits"]

SERVICES = ("auth", "groups", "compute")
FIRST_STATUS, LAST_STATUS = 200, 599
FOR_EVER = -1
"""A count that is never used up."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """What to do to matching calls; `None` in a match field matches everything.

    Attributes:
        action: `status` answers `status` and `body`; `delay` waits `delay_s` and goes on; `drop` cuts the connection;
            `hang` says nothing until the client leaves; `malformed` answers `status` with broken JSON.
        status: an HTTP status; 503 by default, for `malformed` 200.
        body: what `status` answers: text, or a document; `None` for an error in the service's own shape.
        retry_after_s: the `Retry-After` header of `status`; `None` for none.
        remaining: how many more calls it hits; `FOR_EVER` until it is removed.
    """

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    service: str | None = None
    method: str | None = None
    path_prefix: str | None = None
    action: Action = "status"
    status: int | None = None
    body: Any = None
    delay_s: float = 0.0
    retry_after_s: int | None = None
    remaining: int = FOR_EVER

    @property
    def answer_status(self) -> int:
        """The HTTP status to answer."""
        if self.status is not None:
            return self.status
        return HTTPStatus.OK if self.action == "malformed" else HTTPStatus.SERVICE_UNAVAILABLE

    def matches(self, service: str, method: str, path: str) -> bool:
        """Whether the call is one of those to hit."""
        return (
            self.service in (None, service)
            and (self.method is None or self.method.upper() == method)
            and path.startswith(self.path_prefix or "")
        )


def find_problem(fault: Fault) -> str | None:
    """What is wrong with a fault that somebody described; `None` if nothing is."""
    if fault.action not in get_args(Action):
        return f"action must be one of {', '.join(get_args(Action))}"
    if fault.service not in (None, *SERVICES):
        return f"service must be one of {', '.join(SERVICES)}"
    if not isinstance(fault.answer_status, int) or not FIRST_STATUS <= fault.answer_status <= LAST_STATUS:
        return f"status must be between {FIRST_STATUS} and {LAST_STATUS}"
    if not isinstance(fault.remaining, int) or not (fault.remaining > 0 or fault.remaining == FOR_EVER):
        return f"remaining must be a count, or {FOR_EVER} for ever"
    if not isinstance(fault.delay_s, int | float) or fault.delay_s < 0:
        return "delay_s must be a number of seconds"
    return None


@dataclass(slots=True, kw_only=True)
class RateLimit:
    """Globus's documented limit: `limit` requests per `window_s` and client; off unless `enabled`."""

    enabled: bool = False
    limit: int = 20
    window_s: float = 10.0
    services: tuple[str, ...] = ("compute",)
    _calls: dict[str, deque[float]] = field(default_factory=dict)

    def admit(self, service: str, client_id: str, now: float) -> float:
        """Count the call; answer 0, or the seconds to wait before the next one is admitted."""
        if not self.enabled or service not in self.services:
            return 0.0
        calls = self._calls.setdefault(client_id, deque())
        while calls and calls[0] <= now - self.window_s:
            calls.popleft()
        if len(calls) >= self.limit:
            return calls[0] + self.window_s - now
        calls.append(now)
        return 0.0


@dataclass(slots=True, kw_only=True)
class ComputeFaults:
    """Named faults that the Compute service applies itself.

    Attributes:
        drop_results: how many of the next results vanish; `FOR_EVER` for all.
        duplicate_results: how many of the next results are delivered twice.
        refuse_submits: how many of the next submissions are answered 503.
        delay_results_s: seconds by which every result is late.
        endpoint_offline: whether every compute endpoint is offline.
    """

    drop_results: int = 0
    duplicate_results: int = 0
    refuse_submits: int = 0
    delay_results_s: float = 0.0
    endpoint_offline: bool = False

    def take(self, name: CountedFault) -> bool:
        """Use up one of the counted faults; False when none is left."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left != 0


@dataclass(slots=True, kw_only=True)
class Faults:
    """All misbehaviour in force."""

    http: list[Fault] = field(default_factory=list)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    compute: ComputeFaults = field(default_factory=ComputeFaults)

    def take(self, service: str, method: str, path: str) -> Fault | None:
        """The first fault that hits the call, its count used up by one."""
        for fault in self.http:
            if fault.matches(service, method, path):
                if fault.remaining > 0:
                    fault.remaining -= 1
                if fault.remaining == 0:
                    self.http.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Behave again."""
        self.http.clear()
        self.rate_limit = RateLimit()
        self.compute = ComputeFaults()
