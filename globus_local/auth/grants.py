"""`POST /v2/oauth2/token` and `…/revoke`: from a credential to tokens (RFC 6749, 7009, 7636)."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from globus_local.auth.scopes import parse_scopes
from globus_local.auth.tokens import (
    build_answer,
    build_grants,
    build_token_document,
    issue_token,
    refresh_token,
    revoke,
)
from globus_local.cloud import CLOUD, Cloud, parse_basic
from globus_local.errors import OAuthError, unauthorized
from globus_local.forms import read_form
from globus_local.records import Client, Code

Form = Mapping[str, str]
Grant = Callable[[Cloud, Client, Form], Any]


async def post_token(request: web.Request) -> web.Response:
    """Answer one of the four grants; the dependent-token grant answers a list."""
    cloud = request.app[CLOUD]
    form = await read_form(request)
    exchange = GRANTS.get(form.get("grant_type", ""))
    if exchange is None:
        raise OAuthError("unsupported_grant_type", f"Unsupported grant_type {form.get('grant_type', '')!r}")
    answer = exchange(cloud, find_client(cloud, request, form), form)
    return web.json_response(answer, headers={"Cache-Control": "no-store"})


async def post_revoke(request: web.Request) -> web.Response:
    """Revoke one's own token; unknown ones are none of the caller's business, and answered alike."""
    cloud = request.app[CLOUD]
    form = await read_form(request)
    client = find_client(cloud, request, form)
    value = form.get("token", "")
    record = cloud.tokens.get(value) or cloud.refresh_tokens.get(value)
    if record is not None and record.grant.client_id == client.id:
        revoke(cloud, value)
    return web.json_response({"active": False})


def find_client(cloud: Cloud, request: web.Request, form: Form) -> Client:
    """Who calls: a confidential client by its secret (header or form), a native one by its id alone.

    Raises:
        ServiceError: 401.
    """
    if parse_basic(request):
        return cloud.authenticate_client(request)
    client = cloud.clients.get(form.get("client_id", ""))
    if client is None:
        raise unauthorized("Unknown client")
    if client.kind == "native":
        return client
    if not hmac.compare_digest((client.secret or "").encode(), form.get("client_secret", "").encode()):
        raise unauthorized("Client authentication failed")
    return client


def exchange_client_credentials(cloud: Cloud, client: Client, form: Form) -> dict[str, Any]:
    """Tokens for the client's own identity."""
    if client.kind == "native":
        raise OAuthError("unauthorized_client", "A native app has no identity of its own")
    scopes = parse_scopes(form.get("scope", ""))
    grants = build_grants(cloud, scopes, client_id=client.id, sub=client.id, session=None)
    return build_answer(cloud, [issue_token(cloud, grant) for grant in grants])


def exchange_code(cloud: Cloud, client: Client, form: Form) -> dict[str, Any]:
    """Tokens for whoever logged in at the authorize page."""
    code = cloud.codes.pop(form.get("code", ""), None)
    if code is None or cloud.clock.now() >= code.expires_at or code.grants[0].client_id != client.id:
        raise OAuthError("invalid_grant", "The authorization code is unknown, expired or used")
    if form.get("redirect_uri") != code.redirect_uri:
        raise OAuthError("invalid_grant", "redirect_uri is not the one that the code was sent to")
    if not _is_verified(code, form.get("code_verifier", "")):
        raise OAuthError("invalid_grant", "code_verifier does not match the code_challenge")
    tokens = [issue_token(cloud, grant, offline=code.offline) for grant in code.grants]
    return build_answer(cloud, tokens, nonce=code.nonce)


def _is_verified(code: Code, verifier: str) -> bool:
    if code.challenge is None:
        return True
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return hmac.compare_digest(challenge, code.challenge.encode())


def exchange_refresh_token(cloud: Cloud, client: Client, form: Form) -> dict[str, Any]:
    """A new access token for one resource server."""
    refresh = cloud.refresh_tokens.get(form.get("refresh_token", ""))
    if refresh is None or refresh.revoked or refresh.grant.client_id != client.id:
        raise OAuthError("invalid_grant", "The refresh token is unknown or revoked")
    return build_answer(cloud, [refresh_token(cloud, refresh)])


def exchange_dependent(cloud: Cloud, client: Client, form: Form) -> list[dict[str, Any]]:
    """Tokens with which a resource server acts downstream for the bearer of `token`."""
    token = cloud.tokens.get(form.get("token", ""))
    if token is None or not token.is_active(cloud.clock.now()) or token.grant.resource_server != client.id:
        raise OAuthError("invalid_grant", "The token is not active, or not for this resource server")
    wanted = form.get("scope")
    names = [scope.name for scope in parse_scopes(wanted)] if wanted else list(token.grant.dependents)
    missing = [name for name in names if name not in token.grant.dependents]
    if missing:
        raise OAuthError("invalid_scope", f"The token does not allow {missing[0]}")
    if not names:
        return []
    scopes = parse_scopes(" ".join(names))
    grants = build_grants(cloud, scopes, client_id=client.id, sub=token.sub, session=token.grant.session)
    offline = form.get("access_type") == "offline"
    return [build_token_document(issue_token(cloud, grant, offline=offline)) for grant in grants]


GRANTS: dict[str, Grant] = {
    "client_credentials": exchange_client_credentials,
    "authorization_code": exchange_code,
    "refresh_token": exchange_refresh_token,
    "urn:globus:auth:grant_type:dependent_token": exchange_dependent,
}
