"""What is known of one target's address: prepared requests, requests under way, recent failures."""

from collections.abc import Callable, Mapping

from yarl import URL

from resource_server.backends.base import UpstreamSaturated, UpstreamUnavailable
from resource_server.domain.operations import Operation
from resource_server.domain.targets import OpenAIHTTPTarget

EJECT_AFTER_FAILURES = 3
EJECT_S = 5.0


class Route:
    """One target's address, in this process.

    Attributes:
        target: the row that the prepared requests were made from.
    """

    def __init__(self, target: OpenAIHTTPTarget, environ: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._environ = environ
        self._clock = clock
        self._in_flight = 0
        self._failures = 0
        self._ejected_until = 0.0
        self.update(target)

    def update(self, target: OpenAIHTTPTarget) -> None:
        """Take over the row as the catalogue has it now; what is under way and what failed stays known."""
        self.target = target
        base_url = target.base_url.rstrip("/")
        # `encoded`: the row's address goes out as it stands, and nothing a client sends is part of it.
        self._urls = {operation: URL(f"{base_url}/{operation}", encoded=True) for operation in Operation}
        self._headers = _build_headers(target, self._environ)

    def url(self, operation: Operation) -> URL:
        """Where the framework serves the operation."""
        return self._urls[operation]

    def headers(self, request_id: str) -> dict[str, str]:
        """Request headers beside those of the session. Raises `UpstreamUnavailable` if the key is not set."""
        if self._headers is None:
            raise UpstreamUnavailable(f"the environment has no {self.target.api_key_variable}")
        return {**self._headers, "X-Request-Id": request_id}

    def enter(self) -> None:
        """Take a place among the requests under way. Raises `UpstreamSaturated`."""
        if self._in_flight >= self.target.max_concurrency:
            raise UpstreamSaturated(f"{self._in_flight} requests under way, the target's max_concurrency")
        self._in_flight += 1

    def leave(self) -> None:
        """Give the place back."""
        self._in_flight -= 1

    def note_answer(self) -> None:
        """The framework answered: whatever it said, the address works."""
        self._failures = 0

    def note_failure(self) -> None:
        """No answer: after a few in a row the target is passed over for a while, then one failure suffices."""
        self._failures += 1
        if self._failures >= EJECT_AFTER_FAILURES:
            self._ejected_until = self._clock() + EJECT_S

    def is_ejected(self) -> bool:
        """Whether the address failed too often lately to be worth a try."""
        return self._failures >= EJECT_AFTER_FAILURES and self._clock() < self._ejected_until


def _build_headers(target: OpenAIHTTPTarget, environ: Mapping[str, str]) -> dict[str, str] | None:
    if not target.api_key_variable:
        return {}
    api_key = environ.get(target.api_key_variable, "").strip()
    return {"Authorization": f"Bearer {api_key}"} if api_key else None
