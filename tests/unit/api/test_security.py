"""Who asks is decided before the body is read, and again where the body took its time."""

import time
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest

from resource_server.api.exchange import ApiRequest
from resource_server.api.security import RECHECK_AFTER_S, GlobusBearer
from resource_server.domain.errors import AuthenticationFailed


class Revoked:
    """An authenticator that lets nobody in any more."""

    async def authenticate(self, authorization: str | None, client_address: str) -> Any:
        assert (authorization, client_address) == ("Bearer abc", "192.0.2.1")
        raise AuthenticationFailed("The token is not active.")


def build_request(*, identified_ago_s: float, caller: Any) -> ApiRequest:
    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer abc")],
        "client": ("192.0.2.1", 1),
    }
    request = ApiRequest(scope, BytesIO(b""))
    gateway: Any = SimpleNamespace(authenticator=Revoked())
    request.gateway, request.caller = gateway, caller
    request.authenticated_at = time.perf_counter() - identified_ago_s
    return request


async def test_caller_whom_the_entry_knows_is_not_asked_for_again() -> None:
    caller = object()
    assert await GlobusBearer()(build_request(identified_ago_s=0, caller=caller)) is caller


async def test_caller_whose_body_took_long_is_asked_for_again() -> None:
    request = build_request(identified_ago_s=RECHECK_AFTER_S + 1, caller=object())
    with pytest.raises(AuthenticationFailed):
        await GlobusBearer()(request)


async def test_caller_whom_nobody_has_asked_for_is_asked_for_at_once() -> None:
    with pytest.raises(AuthenticationFailed):
        await GlobusBearer()(build_request(identified_ago_s=0, caller=None))
