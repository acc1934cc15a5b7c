"""The gateway's own step of social-auth-app-django's pipeline: between the id token and the browser session."""

import logging
from typing import Any

from django.http import HttpRequest

from resource_server.domain.errors import AuthenticationFailed, AuthUnavailable, GatewayError
from resource_server.sign_in.bridge import Bridge, find_bridge
from resource_server.sign_in.globus import GlobusSignIn, find_gateway_token
from resource_server.sign_in.visitors import find_or_make_user, visit

logger = logging.getLogger(__name__)


def admit(backend: GlobusSignIn, uid: str, response: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Let in whom the API would let in with the same token, and find their row.

    Raises:
        GatewayError: they may not come in, or it cannot be found out; their token is revoked again.
    """
    request = backend.browser
    if request is None:
        raise AuthenticationFailed("A sign-in needs a browser.")
    bridge = need_bridge(request)
    token = find_gateway_token(response)
    try:
        visitor = visit(bridge, f"Bearer {token}", address_of(request))
        if visitor.caller is None or visitor.caller.principal.sub != uid:
            raise AuthenticationFailed("Globus answered about two identities at once: sign in again.")
        user = find_or_make_user(visitor.caller.principal, visitor.role)
    except GatewayError:
        revoke(bridge, token)
        raise
    backend.token = token
    return {"user": user, "is_new": False}


def revoke(bridge: Bridge, token: str) -> None:
    """End the token at Globus, where it can be reached; it ends by itself otherwise."""
    try:
        bridge.run(bridge.gateway.authenticator.revoke(token))
    except AuthUnavailable as exc:
        logger.warning("token_not_revoked reason=%s", exc)


def need_bridge(request: HttpRequest) -> Bridge:
    """The bridge. Raises `AuthUnavailable` where the gateway does not run in this process."""
    bridge = find_bridge(request)
    if bridge is None:
        raise AuthUnavailable("The gateway does not run here: nobody can be signed in.", retry_after_s=30)
    return bridge


def address_of(request: HttpRequest) -> str:
    """The peer's address, which bounds how often it may present unknown tokens."""
    return str(request.META.get("REMOTE_ADDR", ""))
