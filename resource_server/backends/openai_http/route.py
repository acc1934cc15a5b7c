"""One target's address, with everything prepared that its requests have in common."""

from collections.abc import Mapping

from yarl import URL

from resource_server.backends.base import UpstreamUnavailable
from resource_server.domain.operations import Operation
from resource_server.domain.targets import OpenAIHTTPTarget


class Route:
    """One target's address, in this process.

    Attributes:
        target: the row that the prepared requests were made from.
    """

    def __init__(self, target: OpenAIHTTPTarget, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.update(target)

    def update(self, target: OpenAIHTTPTarget) -> None:
        """Take over the row as the catalogue has it now."""
        self.target = target
        base_url = target.base_url.rstrip("/")
        # `encoded`: the row's address goes out as it stands, and nothing a client sends is part of it.
        self._urls = {operation: URL(f"{base_url}/{operation}", encoded=True) for operation in Operation}
        self._headers = _build_headers(target, self._environ)

    def url(self, operation: Operation) -> URL:
        """Where the framework serves the operation."""
        return self._urls[operation]

    def headers(self, request_id: str, traceparent: str = "") -> dict[str, str]:
        """Request headers beside those of the session. Raises `UpstreamUnavailable` if the key is not set."""
        if self._headers is None:
            raise UpstreamUnavailable(f"the environment has no {self.target.api_key_variable}")
        headers = {**self._headers, "X-Request-Id": request_id}
        if traceparent:
            headers["traceparent"] = traceparent
        return headers


def _build_headers(target: OpenAIHTTPTarget, environ: Mapping[str, str]) -> dict[str, str] | None:
    if not target.api_key_variable:
        return {}
    api_key = environ.get(target.api_key_variable, "").strip()
    return {"Authorization": f"Bearer {api_key}"} if api_key else None
