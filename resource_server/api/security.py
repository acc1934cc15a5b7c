"""Bearer tokens of Globus Auth, as Ninja's authentication."""

import time
from typing import Any

from django.http import HttpRequest
from ninja.security import HttpBearer

from resource_server.api.exchange import api_request
from resource_server.identity.base import Caller

RECHECK_AFTER_S = 1.0
"""A body may take a minute to arrive: who it is from is then asked again, so that the bounds on freshness hold."""


class GlobusBearer(HttpBearer):
    """Lets a caller in, or raises the reason why not; it never answers by itself."""

    async def __call__(self, request: HttpRequest) -> Caller:
        """The caller behind the request's token. Raises `GatewayError`."""
        exchange = api_request(request)
        caller = exchange.caller
        if caller is None or time.perf_counter() - exchange.authenticated_at > RECHECK_AFTER_S:
            authorization = exchange.META.get("HTTP_AUTHORIZATION")
            address = exchange.META.get("REMOTE_ADDR", "")
            caller = await exchange.gateway.authenticator.authenticate(authorization, address)
            exchange.authenticated_at = time.perf_counter()
        return caller

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        """Not used: `__call__` reads the whole header, so that a wrong scheme gets a message of its own."""
        raise NotImplementedError
