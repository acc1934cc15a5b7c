"""From Django's threads to the gateway on the event loop.

People's pages are plain synchronous Django, each request in a thread of its own. What lives on the event loop, the
verifier above all, is asked through here and nowhere else: the page's thread waits, the loop does not.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar, cast

from django.http import HttpRequest

from resource_server.domain.errors import AuthUnavailable
from resource_server.wiring import Gateway

T = TypeVar("T")

SCOPE_KEY = "resource_server.bridge"
"""Where the ASGI application puts the bridge, in the scope of a request for people's pages."""
REQUEST_ID_KEY = "resource_server.request_id"
_DEADLINE_S = 8.0
"""Above everything that one answer of Globus may take (`IdentitySettings.total_timeout_s`)."""


class Bridge:
    """The gateway of this process, for code that runs in threads."""

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
        self.gateway = gateway
        self._loop = loop

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns or raises, run on the event loop. Raises `AuthUnavailable` after the deadline."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(_DEADLINE_S)
        except FutureTimeoutError as exc:
            future.cancel()
            raise AuthUnavailable("The gateway did not answer in time: try again shortly.", retry_after_s=5) from exc


def find_bridge(request: HttpRequest) -> Bridge | None:
    """The bridge; `None` outside a gateway process (a management command, a test without a server)."""
    scope = getattr(request, "scope", {})
    return cast("Bridge | None", scope.get(SCOPE_KEY))
